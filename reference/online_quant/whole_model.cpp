#include "reference/online_quant/whole_model.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "reference/model/guard.h"
#include "reference/model/post_load.h"

namespace reloadlab::online_quant {
namespace {

const std::string processed_flag = "process_weights_after_loading_already_called";

bool quantized_online(const model::Model& model) {
  return std::ranges::any_of(model.layers(), [](const model::LayerPtr& layer) { return layer->quant_method != nullptr; });
}

std::string path_of(const model::Layer& layer, const model::Slot& slot) { return layer.path() + "." + slot.name; }

template <class Fn>
void for_each_parameter(const model::Model& model, Fn&& fn) {
  for (const model::LayerPtr& layer : model.layers())
    for (const model::Slot& slot : layer->parameters)
      if (slot.handle) fn(*layer, slot);
}

}  // namespace

// OQ1
Status WholeModel::first_load_done(model::Model& model) {
  if (recorded_ || !quantized_online(model)) return {};
  RELOADLAB_TRY(record_parameters(model));
  recorded_ = true;
  return {};
}

Status WholeModel::record_parameters(const model::Model& model) {
  std::map<const model::Parameter*, size_t> first;
  Status status;
  for_each_parameter(model, [&](const model::Layer& layer, const model::Slot& slot) {
    if (!slot.handle->tensor.defined()) status = {Code::failed, path_of(layer, slot) + " has no shape yet that could be recorded"};
    if (!status.ok()) return;
    const size_t mine = first.emplace(slot.handle.get(), parameters_.size()).first->second;
    if (mine != parameters_.size() && policy_.ties == Ties::first) return;
    const at::Tensor& tensor = slot.handle->tensor;
    parameters_.push_back({layer.path(), slot.name, mine, tensor.sizes().vec(), tensor.scalar_type(), tensor.device(),
                           slot.handle->attributes, slot.handle->loader});
  });
  return status;
}

// OQ3. In one go for the whole model, as OQ2 says: an update of a model that was never recorded goes straight through.
Status WholeModel::prepare(model::Model& model) {
  if (!recorded_) return {};
  return open_until([&] {
    const std::vector<model::ParameterPtr> uncollected = bound_originals();
    give_up();
    for_each_parameter(model,
                       [&](const model::Layer& layer, const model::Slot& slot) { originals_.emplace(path_of(layer, slot), slot.handle); });
    RELOADLAB_TRY(restore_parameters(model));
    RELOADLAB_TRY(restore_attributes(model));
    open_ = true;
    return Status();
  });
}

// What a free loader was bound to refers to itself: it goes when the interpreter collects, which is behind the call.
std::vector<model::ParameterPtr> WholeModel::bound_originals() const {
  std::vector<model::ParameterPtr> bound;
  for (const Recorded& recorded : parameters_) {
    const auto original = originals_.find(recorded.path());
    if (original == originals_.end() || !binds(recorded.loader)) continue;
    if (original->second->loader && original->second->loader != recorded.loader) bound.push_back(original->second);
  }
  return bound;
}

// R1
Status WholeModel::restore_parameters(model::Model& model) {
  std::vector<model::ParameterPtr> fresh(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Recorded& recorded = parameters_[i];
    if (recorded.device != parameters_.front().device)
      return Status(Code::failed, fmt::format("all weights are expected on one device: {} is on {}, {} on {}", parameters_.front().path(),
                                              parameters_.front().device.str(), recorded.path(), recorded.device.str()));
    if (!originals_.contains(recorded.path())) continue;
    fresh[i] = recorded.first_of_tie != i ? fresh[recorded.first_of_tie] : std::make_shared<model::Parameter>();
    if (!fresh[i]) continue;
    if (recorded.first_of_tie == i) fresh[i]->tensor = at::empty(recorded.shape, at::TensorOptions(recorded.dtype).device(recorded.device));
    model.find(recorded.layer)->assign(recorded.slot, fresh[i]);
  }
  return {};
}

// R2. A loader is an attribute too. What the fresh parameter has already is left alone.
Status WholeModel::restore_attributes(model::Model& model) {
  model::ParameterPtr last;
  for (const Recorded& recorded : parameters_) {
    if (recorded.attributes.empty() && !recorded.loader) continue;
    const model::ParameterPtr handle = model.find_tensor(recorded.path());
    if (!handle) return Status(Code::failed, fmt::format("layer {} has no attribute {}", recorded.layer, recorded.slot));
    handle->attributes.insert(recorded.attributes.begin(), recorded.attributes.end());
    if (!handle->loader) handle->loader = restored_loader(recorded.loader);
    if (policy_.restored == Restored::dropped) continue;
    if (handle->loader != recorded.loader) held_.push_back(handle);
    last = handle;
  }
  if (last) held_.push_back(last);
  return {};
}

bool WholeModel::binds(const model::LoaderPtr& recorded) const {
  return recorded && !recorded->is_method && policy_.callables != Callables::kept;
}

model::LoaderPtr WholeModel::restored_loader(const model::LoaderPtr& recorded) const {
  if (!binds(recorded)) return recorded;
  return model::free_loader(
      recorded->name, [name = recorded->name](model::Layer*, model::Parameter&, const at::Tensor&, const model::LoadArgs&) {
        return Status(Code::failed, fmt::format("{} is a free function and was bound to its parameter: one argument too many", name));
      });
}

// OQ5
Status WholeModel::finish(model::Model& model, DType) {
  if (!recorded_) return {};
  if (!std::exchange(open_, false)) return process_again(model);
  return open_until([&] {
    model.flags.insert_or_assign(processed_flag, false);
    RELOADLAB_TRY(model::process_model_after_loading(model));
    RELOADLAB_TRY(copy_back(model));
    give_up();
    model.flags.insert_or_assign(processed_flag, true);
    return Status();
  });
}

// No update is open: the engine's own call of its post-load processing, which an update marks as done.
Status WholeModel::process_again(model::Model& model) const {
  const auto mark = model.flags.find(processed_flag);
  if (mark != model.flags.end() && mark->second) return {};
  return model::guarded([&] { return model::process_model_after_loading(model); });
}

// An update is one call where this is how it is done: whatever fails ends it, and the weights that it replaces go with it.
Status WholeModel::open_until(const std::function<Status()>& fails) {
  Status status = model::guarded(fails);
  if (!status.ok()) give_up();
  return status;
}

void WholeModel::give_up() {
  open_ = false;
  originals_.clear();
  held_.clear();
}

Status WholeModel::abort(model::Model&) {
  give_up();
  return {Code::unsupported, "a whole-model reload cannot be abandoned"};
}

// OQ6
Status WholeModel::copy_back(model::Model& model) {
  for (const Recorded& recorded : parameters_)
    if (auto original = originals_.find(recorded.path()); original != originals_.end())
      RELOADLAB_TRY(copy_back_one(*model.find(recorded.layer), recorded.slot, original->second));
  if (policy_.created == Created::rebound) return {};
  for (const auto& [path, original] : originals_) {
    const auto [layer, slot] = model::split_slot_path(path);
    const model::ParameterPtr now = model.find_tensor(path);
    if (now && now != original) RELOADLAB_TRY(copy_back_one(*model.find(layer), slot, original));
  }
  return {};
}

Status WholeModel::copy_back_one(model::Layer& layer, const std::string& slot, const model::ParameterPtr& original) const {
  const model::ParameterPtr updated = layer.tensor(slot);
  if (!updated) return Status(Code::failed, fmt::format("{}.{}: quantization left no such tensor", layer.path(), slot));
  layer.assign(slot, original);
  original->tensor.copy_(updated->tensor);
  return {};
}

}  // namespace reloadlab::online_quant
