#include "sim/replay/watch.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <stdexcept>

#include "sim/world/account.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view fault_message = "injected fault";

// Positions of the arguments that an operator writes, by its schema's alias annotations; looked up once an operator.
const std::vector<size_t>& written_arguments(const c10::OperatorHandle& op) {
  thread_local std::unordered_map<const c10::FunctionSchema*, std::vector<size_t>> known;
  auto [found, fresh] = known.try_emplace(&op.schema());
  if (!fresh) return found->second;
  const auto& arguments = op.schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i)
    if (const auto* alias = arguments[i].alias_info(); alias && alias->isWrite()) found->second.push_back(i);
  return found->second;
}

EventKind trace_kind(model::EngineEventKind kind) {
  using Engine = model::EngineEventKind;
  switch (kind) {
    case Engine::armed:
      return EventKind::armed;
    case Engine::load_counted:
      return EventKind::load_counted;
    case Engine::load_dropped:
      return EventKind::load_dropped;
    case Engine::completed:
      return EventKind::completed;
    case Engine::processed:
      return EventKind::processed;
    case Engine::copied_back:
      return EventKind::copied_back;
    case Engine::disarmed:
      return EventKind::disarmed;
    case Engine::missing:
    case Engine::excess:
    case Engine::unexpected:
    case Engine::warning:
      break;
  }
  return EventKind::warning;
}

std::optional<CoverageReport::Kind> coverage_kind(model::EngineEventKind kind) {
  switch (kind) {
    case model::EngineEventKind::missing:
      return CoverageReport::Kind::missing;
    case model::EngineEventKind::excess:
      return CoverageReport::Kind::excess;
    case model::EngineEventKind::unexpected:
      return CoverageReport::Kind::unexpected;
    default:
      return std::nullopt;
  }
}

}  // namespace

void Watch::at_step(int step, const std::optional<Fault>& fault) {
  step_ = step;
  load_ = -1;
  fault_ = fault;
  chances_ = {};
}

void Watch::remember_kernels(const model::Model& model) {
  kernels_.clear();
  for (const model::LayerPtr& layer : model.layers()) {
    const int index = catalogue_.find_layer(layer->path());
    for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      const at::Tensor& tensor = slot.handle->tensor;
      int64_t& serial = kernel_of_.try_emplace({index, slot.name}, -1).first->second;
      if (tensor.defined() && !tensor.is_meta()) serial = allocation_serial(tensor.storage());
      if (serial >= 0) kernels_[serial].push_back({index, slot.name, static_cast<int64_t>(tensor.itemsize())});
    });
  }
}

void Watch::handed_over(const at::Tensor& loaded, const std::string& delivery) {
  if (kernels_.empty() || loaded.is_meta()) return;
  if (const int64_t serial = allocation_serial(loaded.storage()); serial >= 0) sources_[serial] = delivery;
}

void Watch::event(EventKind kind, int layer, int64_t numel, std::string text, int64_t value) {
  run_.events.push_back({kind, step_, load_, layer, numel, value, std::move(text)});
  if (on_event) on_event(run_.events.back());
}

bool Watch::strikes(Fault::At at, int64_t& chance) {
  const bool hit = fault_ && fault_->at == at && fault_->nth == chance;
  ++chance;
  if (hit) event(EventKind::fault, -1, 0, std::string(fault_message), chance - 1);
  return hit;
}

void Watch::before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  ++operators_;
  copies_.before(op, stack);
  if (kernels_.empty()) return;
  const size_t first = stack.size() - op.schema().arguments().size();
  for (size_t position : written_arguments(op)) {
    const c10::IValue& argument = stack[first + position];
    if (argument.isTensor()) {
      wrote(op, argument.toTensor());
    } else if (argument.isTensorList()) {
      for (const at::Tensor& tensor : argument.toTensorVector()) wrote(op, tensor);
    }
  }
}

void Watch::wrote(const c10::OperatorHandle& op, const at::Tensor& target) {
  if (!target.defined() || target.is_meta()) return;
  const int64_t serial = allocation_serial(target.storage());
  if (auto source = sources_.find(serial); source != sources_.end())
    event(EventKind::write_source, -1, target.numel(), source->second + " " + op.operator_name().name);
  auto found = kernels_.find(serial);
  if (found == kernels_.end()) return;
  if (strikes(Fault::At::copy_back, chances_.copy_back)) throw std::runtime_error(std::string(fault_message));
  const auto item = static_cast<int64_t>(target.itemsize()), bytes = target.numel() * item, start = target.storage_offset() * item;
  for (const auto& [layer, slot, item_bytes] : found->second)
    event(EventKind::write_kernel, layer, bytes / item_bytes, slot + " " + op.operator_name().name, start / item_bytes);
}

Status Watch::enter(model::Layer& layer) {
  event(EventKind::post_load_begin, catalogue_.find_layer(layer.path()));
  if (on_post_load) on_post_load(layer);
  if (strikes(Fault::At::post_load_enter, chances_.post_load_enter)) return Status(Code::failed, std::string(fault_message));
  return {};
}

Status Watch::middle(model::Layer&) {
  if (strikes(Fault::At::post_load_middle, chances_.post_load_middle)) throw std::runtime_error(std::string(fault_message));
  return {};
}

void Watch::leave(model::Layer& layer, const Status& outcome) {
  event(EventKind::post_load_end, catalogue_.find_layer(layer.path()), 0, outcome.message());
}

Status Watch::leave(const model::Loader&, model::Parameter&, const Status& outcome) {
  if (strikes(Fault::At::loader, chances_.loader)) return Status(Code::failed, std::string(fault_message));
  return outcome;
}

void Watch::on(const model::EngineEvent& hint) {
  const int layer = hint.layer.empty() ? -1 : catalogue_.find_layer(hint.layer);
  event(trace_kind(hint.kind), layer, hint.numel, fmt::format("{}{}{}", hint.slot, hint.detail.empty() ? "" : " ", hint.detail));
  if (auto kind = coverage_kind(hint.kind)) run_.coverage.push_back({*kind, step_, std::string(hint.layer), std::string(hint.slot)});
}

}  // namespace reloadlab::sim
