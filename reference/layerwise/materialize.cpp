#include "reference/layerwise/materialize.h"

#include "reference/layerwise/load.h"
#include "reference/layerwise/storage.h"
#include "reference/model/device.h"

namespace reloadlab::layerwise {
namespace {

class Materials {
 public:
  model::ParameterPtr of(const model::ParameterPtr& placeholder) {
    model::ParameterPtr& made = handles_[placeholder];
    if (made) return made;
    made = std::make_shared<model::Parameter>(*placeholder);
    made->tensor = tensor_on(bytes_of(placeholder->tensor), placeholder->tensor);
    return made;
  }

 private:
  const at::Tensor& bytes_of(const at::Tensor& tensor) {
    at::Tensor& bytes = storages_[tensor.storage().unsafeGetStorageImpl()];
    const int64_t length = static_cast<int64_t>(tensor.storage().nbytes());
    if (!bytes.defined()) bytes = at::empty({length}, at::TensorOptions(at::kByte).device(model::default_device()));
    return bytes;
  }

  std::unordered_map<model::ParameterPtr, model::ParameterPtr> handles_;  // keeps placeholders: their addresses are no others'
  std::unordered_map<const c10::StorageImpl*, at::Tensor> storages_;
};

// What the slot's tensor is made from; null: it stays as it is. Under lent records every tensor that the layer has now is taken for a
// placeholder; sealed ones know theirs by the wrapper, and have one of skipped tensors, which stood in their slots themselves.
model::ParameterPtr placeholder_in(const Core& core, const Member& member, const model::Slot& slot) {
  if (core.policy.records == Records::lent) return skips_tensor(slot.name) ? nullptr : slot.handle;
  const RecordedSlot* recorded = member.record->find(slot.name);
  if (recorded && recorded->skipped) return recorded->tensor ? recorded->tensor->fresh() : nullptr;
  return is_wrapped(*slot.handle) ? slot.handle : nullptr;
}

void reregister(model::Layer& layer, const Member& member) {
  std::vector<std::string> names;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool) { names.push_back(slot.name); });
  for (const std::string& name : names) layer.erase(name);
  for (const model::Slot& slot : member.kernel_parameters)
    if (slot.handle) layer.parameters.set(slot.name, slot.handle);
  for (const model::Slot& slot : member.kernel_buffers)
    if (slot.handle) layer.buffers.set(slot.name, slot.handle);
}

}  // namespace

void materialize(const Core& core, Group& group) {
  Materials materials;
  for (Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    if (core.policy.records == Records::lent && skips_layer(*layer)) continue;
    std::vector<std::pair<std::string, model::ParameterPtr>> made;
    model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
      if (model::ParameterPtr placeholder = placeholder_in(core, member, slot)) made.emplace_back(slot.name, materials.of(placeholder));
    });
    for (auto& [name, handle] : made) layer->assign(name, std::move(handle));
  }
}

void put_kernel_back(const Core& core, Member& member) {
  const model::LayerPtr layer = member.layer.lock();
  if (core.policy.names == Names::reregister) return reregister(*layer, member);
  layer->parameters = member.kernel_parameters;
  layer->buffers = member.kernel_buffers;
}

}  // namespace reloadlab::layerwise
