#include "sim/world/cuda/observer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cuda/Sleep.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim::cuda {
namespace {

constexpr double cycles_of_a_microsecond = 1755;  // H100 SXM at its boost clock

// Of the calling thread.
thread_local int own = 0;
thread_local bool in_operator = false;

// They touch no bytes, whatever their schema says; `record_stream` and what is like it name memory only.
bool touches_metadata_only(std::string_view name) {
  constexpr std::string_view begins[] = {"aten::empty",         "aten::new_empty",     "aten::set_",
                                         "aten::record_stream", "aten::resize_",       "aten::is_",
                                         "aten::detach",        "aten::requires_grad", "c10d::"};
  constexpr std::string_view names[] = {"aten::t_", "aten::transpose_", "aten::squeeze_", "aten::unsqueeze_", "aten::as_strided_"};
  return std::ranges::any_of(begins, [&](std::string_view begin) { return name.starts_with(begin); }) ||
         std::ranges::find(names, name) != std::end(names);
}

bool gives_views(const c10::FunctionSchema& schema) {
  return std::ranges::any_of(schema.returns(),
                             [](const c10::Argument& returned) { return returned.alias_info() && !returned.alias_info()->isWrite(); });
}

bool is_collective(std::string_view name) {
  return name.starts_with("c10d::") && (name.ends_with("broadcast_") || name.ends_with("allreduce_") || name.ends_with("allgather_") ||
                                        name.ends_with("send") || name.ends_with("recv_"));
}

Handle current_stream(int device) { return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream(); }

}  // namespace

Observer::Observer(int device, std::function<std::string(Handle)> name_of)
    : device_(device), name_of_(std::move(name_of)), order_(fmt::format("cuda:{}", device)) {}

Observer::Own::Own() { ++own; }
Observer::Own::~Own() { --own; }

Observer::Watching::Watching(Observer& observer) : observer_(observer) {
  const auto listen = reinterpret_cast<ListenToCalls>(::dlsym(RTLD_DEFAULT, "reloadlab_listen_to_calls"));
  if (!listen) {
    observer_.deaf_ = "this program does not hear calls of CUDA's runtime";
    return;
  }
  listen(&observer_);
  observer_.prove_that_calls_are_heard();
  tap_.emplace(model::Tap::device, observer_);
}

Observer::Watching::~Watching() {
  tap_.reset();
  if (const auto listen = reinterpret_cast<ListenToCalls>(::dlsym(RTLD_DEFAULT, "reloadlab_listen_to_calls"))) listen(nullptr);
}

// LibTorch's own calls of both kinds: a library that was opened in another way calls past us.
void Observer::prove_that_calls_are_heard() {
  const Own calls;
  const int64_t before = heard_;
  at::cuda::sleep(1);
  c10::Event event(c10::DeviceType::CUDA);
  event.record(c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)));
  if (heard_ < before + 2) deaf_ = "LibTorch's calls of CUDA's runtime are not heard";
}

std::string Observer::unseen() const { return deaf_.empty() ? order_.unseen() : deaf_; }

// Calls.

void Observer::recorded(Handle event, Handle stream) {
  if (own > 0) ++heard_;
  order_.record(event, stream);
}

void Observer::issued(const char* what, Handle stream) {
  if (own > 0) {
    ++heard_;
    return;
  }
  if (!in_operator) return order_.touch_unseen(stream, what);
  if (std::ranges::find(running_.streams, stream) != running_.streams.end()) return;
  running_.streams.push_back(stream);
  order_.touch(stream, running_.name, running_.accesses);
}

void Observer::sends(const char* operation, Handle communicator, const std::vector<Piece>& pieces, Handle stream) {
  const std::string name = name_of_(communicator);
  std::vector<Access> accesses;
  for (const Piece& each : pieces) accesses.push_back(piece(each.address, each.bytes, each.writes));
  order_.touch(stream, fmt::format("{} #{} of {}", operation, sent_[name]++, name), accesses);
  running_.sent = true;
  if (!delays_) return;
  const auto index = static_cast<c10::DeviceIndex>(device_);
  const c10::cuda::CUDAStreamGuard there(c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(const_cast<void*>(stream)), index));
  sleep(delays_->before_collective());
}

void Observer::filled(Handle stream, const void* address, int64_t bytes) {
  order_.touch(stream, "a fill of fresh memory", {piece(address, bytes, true)});
}

void Observer::sleep(int64_t microseconds) const {
  const Own calls;
  if (microseconds > 0) at::cuda::sleep(static_cast<int64_t>(static_cast<double>(microseconds) * cycles_of_a_microsecond));
}

// Operators.

Access Observer::piece(const void* address, int64_t bytes, bool writes) const {
  return {Region::bytes(device_, static_cast<int64_t>(reinterpret_cast<uintptr_t>(address)), bytes), writes};
}

void Observer::collect(const c10::IValue& value, bool writes, std::vector<Access>& accesses) const {
  if (value.isList()) {
    for (const c10::IValue& each : value.toListRef()) collect(each, writes, accesses);
    return;
  }
  if (!value.isTensor()) return;
  const at::Tensor& tensor = value.toTensor();
  if (!tensor.defined() || !tensor.is_cuda() || tensor.layout() != at::kStrided || tensor.numel() == 0) return;
  const auto element = static_cast<int64_t>(tensor.element_size());
  const int64_t offset = static_cast<int64_t>(reinterpret_cast<uintptr_t>(tensor.const_data_ptr())) / element;
  accesses.push_back({Region(device_, element, offset, tensor.sizes(), tensor.strides()), writes});
}

void Observer::before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  running_ = {.name = op.schema().name(), .facts = &facts_of(op)};
  const size_t count = op.schema().arguments().size(), first = stack.size() - count;
  const bool sends_only = running_.name.starts_with("c10d::");  // what it gives to NCCL is heard of there
  for (size_t i = 0; i < count && !sends_only; ++i) collect(stack[first + i], running_.facts->writes[i], running_.accesses);
  in_operator = true;
  const bool touches = !touches_metadata_only(running_.name) && !gives_views(op.schema()) && !running_.accesses.empty();
  if (delays_ && touches) sleep(delays_->before_operator());
}

std::vector<Access> Observer::fresh_results(const torch::jit::Stack& results) const {
  std::vector<Access> accesses;
  const std::vector<int>& returns = running_.facts->returns;
  if (running_.name.starts_with("c10d::")) return accesses;
  for (size_t i = 0; i < returns.size(); ++i)
    if (returns[i] < 0) collect(results[results.size() - returns.size() + i], true, accesses);
  return accesses;
}

void Observer::after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  in_operator = false;
  if (is_collective(running_.name) && !running_.sent) order_.touch_unseen(current_stream(device_), running_.name);
  if (running_.accesses.empty() && running_.streams.empty()) return;
  if (running_.streams.empty()) {
    if (touches_metadata_only(running_.name) || gives_views(op.schema())) return;
    running_.streams.push_back(current_stream(device_));
    order_.touch(running_.streams.back(), running_.name, running_.accesses);
  }
  if (const std::vector<Access> fresh = fresh_results(stack); !fresh.empty()) order_.touch(running_.streams.back(), running_.name, fresh);
}

}  // namespace reloadlab::sim::cuda
