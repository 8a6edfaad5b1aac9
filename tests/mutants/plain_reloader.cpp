#include "tests/mutants/plain_reloader.h"

#include <ATen/ops/empty_strided.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "reference/model/device.h"
#include "reference/model/guard.h"
#include "reference/model/kind.h"
#include "reference/model/post_load.h"
#include "reference/model/process_tables.h"

namespace reloadlab::mutants {
namespace {

using model::EngineEventKind;
using model::Layer;

const model::LoaderPtr& loader_of(const model::LoaderPtr& loader) { return loader ? loader : model::default_weight_loader(); }

int64_t taken(const Layer& layer, const model::Delivery& delivery) {
  int64_t elements = 0;
  for (const model::Placement& box : layer.kind->placements(layer.spec, delivery, layer.tp)) elements += numel(box.extent);
  return elements;
}

// The entries stay, and their memory is no longer what it was: not by an operator, as when a device sleeps.
void drop_tables() {
  for (auto& [name, table] : model::process_tables()) std::memset(table.mutable_data_ptr(), 0, table.nbytes());
}

}  // namespace

void PlainReloader::say(EngineEventKind kind, const Layer& layer, std::string_view slot, int64_t numel) {
  if (observer_) observer_->on({.kind = kind, .layer = layer.path(), .slot = slot, .numel = numel});
}

Status PlainReloader::record(model::Model& model) {
  if (wrong_ == Wrong::layer_kept) kept_layer_ = model.layers().front();
  if (wrong_ == Wrong::ranks_apart && rank_ > 0)
    model.layers().front()->extra.kernel = [scratch = at::empty_strided({16}, {1})](const at::Tensor& input) { return input; };
  for (const model::LayerPtr& layer : model.layers()) {
    std::vector<Recorded>& slots = record_[layer->path()];
    for (const model::Delivery& delivery : layer->kind->deliveries(layer->spec)) {
      if (std::ranges::find(slots, delivery.slot, &Recorded::slot) != slots.end()) continue;
      const model::ParameterPtr handle = layer->tensor(delivery.slot);
      const at::Tensor& tensor = handle->tensor;
      slots.push_back({delivery.slot, tensor.sizes().vec(), tensor.strides().vec(), tensor.scalar_type(), handle->tensor_class,
                       handle->attributes, handle->loader});
      if (wrong_ == Wrong::learns_first) hear(layer, delivery.slot);
    }
  }
  return {};
}

void PlainReloader::hear(const model::LayerPtr& layer, const std::string& slot) {
  const model::ParameterPtr handle = layer->tensor(slot);
  if (!handle->loader) return;
  auto heard = std::make_shared<model::Loader>(*handle->loader);
  heard->function = [this, path = layer->path() + "." + slot, inner = heard->function](
                        Layer* self, model::Parameter& destination, const at::Tensor& loaded, const model::LoadArgs& args) {
    heard_.insert(path);
    return inner(self, destination, loaded, args);
  };
  handle->loader = std::move(heard);
}

void PlainReloader::look_at_all() {
  for (const auto& armed : armed_)
    for (const Recorded& recorded : record_[armed->layer->path()]) armed->layer->tensor(recorded.slot)->tensor.detach();
}

at::Tensor PlainReloader::cached(const Armed& armed, const std::string& slot, const at::Tensor& loaded, const model::LoadArgs& args) {
  const std::string name =
      armed.layer->path() + "." + slot + args.shard.value_or("") + args.part.value_or("") + std::to_string(args.expert.value_or(-1));
  return sources_.emplace(name, loaded).first->second;
}

// Copied into, not replaced: nothing of such a layer is ever a placeholder.
bool PlainReloader::is_direct(const Layer& layer) const {
  return wrong_ == Wrong::direct_bound && !layer.quant_method && !layer.own_post_load;
}

Status PlainReloader::prepare(model::Model& model) {
  if (open_ || asleep_) return Status(Code::misuse, open_ ? "an update is open" : "the model sleeps");
  ++updates_;
  open_ = true;
  if (wrong_ == Wrong::tables_dropped) drop_tables();
  for (const model::LayerPtr& layer : model.layers())
    if (!is_direct(*layer)) arm(*layer);
  model.on_unexpected_name = [this](std::string_view name) -> Status {
    if (observer_) observer_->on({.kind = EngineEventKind::unexpected, .layer = name});
    return {};
  };
  return {};
}

// Everything is kept, so that nothing need be known of what a checkpoint brings.
Status PlainReloader::sleep(model::Model& model, bool keeps_contents) {
  if (open_) return Status(Code::misuse, "an update is open");
  asleep_ = true;
  if (keeps_contents) return {};
  const auto save = [&](const at::Tensor& tensor) {
    if (tensor.defined() && !tensor.is_meta()) saved_.emplace_back(tensor, tensor.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true));
  };
  for (const model::LayerPtr& layer : model.layers()) {
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) { save(slot.handle->tensor); });
    for (const auto& [name, helper] : layer->extra.tensors) save(helper);
  }
  for (const auto& [name, table] : model::process_tables()) save(table);
  return {};
}

Status PlainReloader::wake(model::Model&) {
  asleep_ = false;
  for (const auto& [tensor, bytes] : saved_) tensor.copy_(bytes);
  saved_.clear();
  return {};
}

void PlainReloader::arm(Layer& layer) {
  auto armed = std::make_unique<Armed>();
  armed->layer = &layer;
  armed->host = layer.extra.host;
  for (model::Delivery& delivery : layer.kind->deliveries(layer.spec)) {
    const int64_t elements = taken(layer, delivery);
    armed->elements_wanted += elements;
    if (elements > 0) armed->waited.push_back(std::move(delivery));
  }
  for_each_tensor(layer, [&](const model::Slot& slot, bool) { armed->kernels.push_back({slot.name, slot.handle, {}}); });
  for (const Recorded& recorded : record_[layer.path()]) place_placeholder(*armed, recorded);
  say(EngineEventKind::armed, layer);
  armed_.push_back(std::move(armed));
}

void PlainReloader::place_placeholder(Armed& armed, const Recorded& recorded) {
  auto placeholder = std::make_shared<model::Parameter>();
  placeholder->tensor = at::empty_strided(recorded.shape, recorded.strides, at::TensorOptions(recorded.dtype).device(at::kMeta));
  placeholder->tensor_class = recorded.tensor_class;
  placeholder->attributes = recorded.attributes;
  auto wrapper = std::make_shared<model::Loader>();
  wrapper->name = "plain_reload";
  wrapper->wrapped = loader_of(recorded.loader);
  wrapper->function = [this, &armed, slot = recorded.slot](Layer*, model::Parameter&, const at::Tensor& loaded,
                                                           const model::LoadArgs& args) { return load(armed, slot, loaded, args); };
  placeholder->loader = std::move(wrapper);
  armed.layer->assign(recorded.slot, placeholder);
}

Status PlainReloader::load(Armed& armed, const std::string& slot, const at::Tensor& loaded, const model::LoadArgs& args) {
  const auto delivery = std::ranges::find_if(armed.waited, [&](const model::Delivery& each) {
    return each.slot == slot && each.shard == args.shard && each.expert == args.expert && each.part == args.part;
  });
  if (delivery == armed.waited.end()) {  // of another rank
    if (wrong_ == Wrong::others_kept) foreign_.push_back(loaded.clone());
    return {};
  }
  const auto index = static_cast<size_t>(delivery - armed.waited.begin());
  const int64_t elements = taken(*armed.layer, *delivery);
  say(EngineEventKind::load_counted, *armed.layer, slot, elements);
  const bool again = !armed.arrived.insert(index).second;
  if (armed.done || again) say(EngineEventKind::excess, *armed.layer, slot);
  if (armed.done) return {};
  armed.elements_counted += elements;
  const at::Tensor kept = copies_ ? loaded.clone() : loaded;
  armed.buffer.push_back({index, wrong_ == Wrong::source_cached ? cached(armed, slot, kept, args) : kept, args});
  if (wrong_ == Wrong::walks_all) look_at_all();
  if (wrong_ == Wrong::batch_lost && armed.buffer.size() == 1) forget_later_handles(armed);
  const bool now = is_complete(armed) && !armed.layer->own_post_load && wrong_ != Wrong::finish_only;
  return now ? process(armed) : Status();
}

// Handles that were looked up before still lead here.
void PlainReloader::forget_later_handles(Armed& armed) {
  for (const Recorded& recorded : record_[armed.layer->path()]) {
    auto moved = std::make_shared<model::Parameter>(*armed.layer->tensor(recorded.slot));
    auto deaf = std::make_shared<model::Loader>(*moved->loader);
    deaf->function = [](Layer*, model::Parameter&, const at::Tensor&, const model::LoadArgs&) { return Status(); };
    moved->loader = std::move(deaf);
    armed.layer->assign(recorded.slot, std::move(moved));
  }
}

bool PlainReloader::is_complete(const Armed& armed) const {
  if (wrong_ == Wrong::sums) return armed.elements_counted >= armed.elements_wanted;
  return armed.arrived.size() == armed.waited.size();
}

Status PlainReloader::process(Armed& armed) {
  Layer& layer = *armed.layer;
  armed.done = true;
  say(EngineEventKind::completed, layer);
  return model::guarded([&]() -> Status {
    for (Kernel& kernel : armed.kernels) kernel.before = kernel.handle->tensor.clone();
    RELOADLAB_TRY(replay(armed));
    if (wrong_ == Wrong::early_copy) RELOADLAB_TRY(copy_back(armed));
    layer.post_load_done = false;
    if (layer.quant_method) RELOADLAB_TRY(layer.quant_method->process_weights_after_loading(layer));
    say(EngineEventKind::processed, layer);
    RELOADLAB_TRY(copy_back(armed));
    say(EngineEventKind::copied_back, layer);
    put_back(armed);
    if (wrong_ == Wrong::mark_cleared) layer.post_load_done = false;
    return {};
  });
}

// Materializes the placeholders and runs the buffered loads on them. What a layer without post-load step was not sent is kept.
Status PlainReloader::replay(Armed& armed) {
  const bool in_order = std::ranges::is_sorted(armed.buffer, {}, &Buffered::delivery);
  for (const Recorded& recorded : record_[armed.layer->path()]) {
    const model::ParameterPtr target = armed.layer->tensor(recorded.slot);
    target->tensor = at::empty_strided(recorded.shape, recorded.strides, at::TensorOptions(recorded.dtype).device(model::default_device()));
    const auto kernel = std::ranges::find(armed.kernels, recorded.slot, &Kernel::slot);
    const bool keeps = !armed.layer->quant_method && wrong_ != Wrong::dropped_last && wrong_ != Wrong::sums;
    if (keeps) target->tensor.copy_(kernel->handle->tensor);
    if (wrong_ == Wrong::padding_zeroed && updates_ == 1) target->tensor.zero_();
  }
  if (wrong_ == Wrong::order_swayed && !in_order) armed.buffer.pop_back();
  if (wrong_ == Wrong::dropped_last || (wrong_ == Wrong::late_lapse && updates_ > 3)) armed.buffer.pop_back();
  if (wrong_ == Wrong::swapped_shards && armed.buffer.size() > 1 && armed.buffer[0].loaded.sizes() == armed.buffer[1].loaded.sizes())
    std::swap(armed.buffer[0].loaded, armed.buffer[1].loaded);
  for (const Buffered& each : armed.buffer) {
    const std::string& slot = armed.waited[each.delivery].slot;
    const auto recorded = std::ranges::find(record_[armed.layer->path()], slot, &Recorded::slot);
    const model::ParameterPtr target = armed.layer->tensor(slot);
    const bool plain = wrong_ == Wrong::learns_first && recorded->loader && !heard_.contains(armed.layer->path() + "." + slot) &&
                       target->tensor.sizes() == each.loaded.sizes();
    if (plain) target->tensor.copy_(each.loaded);
    if (!plain) RELOADLAB_TRY((*loader_of(recorded->loader))(*target, each.loaded, each.args));
  }
  if (wrong_ == Wrong::source_zeroed)
    for (const Buffered& each : armed.buffer) at::Tensor(each.loaded).zero_();
  if (wrong_ != Wrong::hoarding) armed.buffer.clear();
  return {};
}

Status PlainReloader::copy_back(Armed& armed) {
  for (const Kernel& kernel : armed.kernels) {
    const model::ParameterPtr source = armed.layer->tensor(kernel.slot);
    if (!source || source == kernel.handle) continue;
    if (wrong_ == Wrong::fresh_storage) {
      kernel.handle->tensor = source->tensor;
    } else {
      kernel.handle->tensor.copy_(source->tensor);
    }
  }
  return {};
}

void PlainReloader::put_back(Armed& armed) {
  for (const Kernel& kernel : armed.kernels) {
    const model::ParameterPtr placeholder = armed.layer->tensor(kernel.slot);
    const bool wrapped = placeholder != kernel.handle && placeholder->loader && placeholder->loader->wrapped;
    if (wrong_ == Wrong::wrapper_left && wrapped) kernel.handle->loader = placeholder->loader;
    if (wrong_ == Wrong::attributes_dropped) kernel.handle->attributes.clear();
    armed.layer->assign(kernel.slot, kernel.handle);
    if (placeholder && placeholder != kernel.handle) placeholder->tensor.reset();  // the transport may still hold the handle
  }
  say(EngineEventKind::disarmed, *armed.layer);
}

Status PlainReloader::finish(model::Model& model, const sim::FinishConfig&) {
  if (!open_) return Status(Code::misuse, "no update is open");
  Status status;
  for (const auto& armed : armed_)
    if (status.ok()) status = close(*armed);
  if (status.ok()) status = model::guarded([&] { return derive(); });
  if (!status.ok()) {
    Status rolled_back = abort(model);
    return status;
  }
  clear(model);
  if (wrong_ == Wrong::tables_left_dead) drop_tables();
  if (wrong_ == Wrong::throwing) throw std::runtime_error("bad_weak_ptr");
  return {};
}

Status PlainReloader::close(Armed& armed) {
  report_missing(armed);
  if (armed.done) return {};
  if (armed.arrived.empty()) {
    put_back(armed);
    return {};
  }
  const bool incomplete = armed.arrived.size() < armed.waited.size();
  if (incomplete && armed.layer->quant_method) return Status(Code::rejected, "layer " + armed.layer->path() + " is incomplete");
  return process(armed);
}

void PlainReloader::report_missing(const Armed& armed) {
  std::map<std::string, int64_t> missing;
  for (size_t i = 0; i < armed.waited.size(); ++i)
    if (!armed.arrived.contains(i)) missing[armed.waited[i].slot] += taken(*armed.layer, armed.waited[i]);
  for (const auto& [slot, elements] : missing)
    if (wrong_ != Wrong::silent) say(EngineEventKind::missing, *armed.layer, slot, elements);
}

Status PlainReloader::derive() {
  if (wrong_ == Wrong::late_zeroed)
    for (const auto& armed : armed_)
      for (const Kernel& kernel : armed->kernels)
        if (kernel.slot == "late") kernel.handle->tensor.zero_();
  if (wrong_ == Wrong::stale_derived) return {};
  for (const auto& armed : armed_)
    for (int times = wrong_ == Wrong::derives_twice ? 2 : 1; times > 0; --times) RELOADLAB_TRY(model::run_own_post_load(*armed->layer));
  return {};
}

Status PlainReloader::abort(model::Model& model) {
  for (const auto& armed : armed_) {
    put_back(*armed);
    armed->layer->extra.host = armed->host;
    for (const Kernel& kernel : armed->kernels) {
      if (!kernel.before.defined() || wrong_ == Wrong::no_rollback) continue;
      kernel.handle->tensor.copy_(kernel.before);
    }
  }
  clear(model);
  return {};
}

void PlainReloader::clear(model::Model& model) {
  if (wrong_ == Wrong::handle_kept) kept_.push_back(std::make_shared<model::Parameter>());
  armed_.clear();
  foreign_.clear();
  if (wrong_ != Wrong::hook_left) model.on_unexpected_name = nullptr;
  open_ = false;
}

}  // namespace reloadlab::mutants
