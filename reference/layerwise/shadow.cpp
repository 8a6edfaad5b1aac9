#include "reference/layerwise/shadow.h"

#include <ATen/ops/empty.h>

#include <map>

#include "reference/layerwise/storage.h"
#include "reference/model/kind.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

bool keeps(const Core& core, const model::Layer& layer, const RecordedSlot& slot) {
  return core.policy.shadow == ShadowCopies::keep && slot.tensor && !permutes_at_most(layer, slot);
}

int64_t storage_bytes(const RecordedSlot& slot) { return static_cast<int64_t>(slot.tensor->placeholder.storage().nbytes()); }

// Copies of what layers' slots hold now; slots that share a storage, as tied ones do, share its copy.
class Copies {
 public:
  explicit Copies(const Core& core) : core_(core) {}

  Shadow of(const model::Layer& layer, const LayerRecord& record) {
    Shadow shadow;
    for (const RecordedSlot& slot : record.slots) {
      if (!keeps(core_, layer, slot)) continue;
      const model::ParameterPtr handle = layer.tensor(slot.name);
      if (handle && handle->tensor.sizes() == slot.tensor->placeholder.sizes()) shadow.emplace(slot.name, of(slot, handle->tensor));
    }
    return shadow;
  }

 private:
  at::Tensor of(const RecordedSlot& slot, const at::Tensor& tensor) {
    at::Tensor& bytes = bytes_[slot.tensor->placeholder.storage().unsafeGetStorageImpl()];
    if (!bytes.defined()) bytes = at::empty({storage_bytes(slot)}, tensor.options().dtype(at::kByte));
    const at::Tensor copy = tensor_on(bytes, slot.tensor->placeholder);
    copy_content(copy, tensor);
    return copy;
  }

  const Core& core_;
  std::map<const c10::StorageImpl*, at::Tensor> bytes_;  // by the storage of the placeholders
};

}  // namespace

bool permutes_at_most(const model::Layer& layer, const RecordedSlot& slot) {
  if (!layer.quant_method || slot.skipped) return true;
  const model::QuantInfo* info = model::find_quant_method(layer.quant_method->id());
  return info && info->permutes(slot.name);
}

at::Tensor shadow_of(const LayerRecord& record, std::string_view slot) {
  const std::shared_ptr<Shadow> shadow = record.shadow.lock();
  const auto found = shadow ? shadow->find(slot) : Shadow::iterator();
  return shadow && found != shadow->end() ? found->second : at::Tensor();
}

std::shared_ptr<Shadow> shared_shadow(const Core& core, const model::Layer& layer, LayerRecord& record) {
  std::shared_ptr<Shadow> shadow = record.shadow.lock();
  const bool wanted =
      std::any_of(record.slots.begin(), record.slots.end(), [&](const RecordedSlot& slot) { return keeps(core, layer, slot); });
  if (!shadow && wanted) record.shadow = shadow = std::make_shared<Shadow>();
  return shadow;
}

void shadow_first_load(const Core& core, const model::Model& model) {
  if (!core.first_load_seen) return;
  Copies copies(core);
  for (const model::LayerPtr& layer : model.layers()) {
    const std::shared_ptr<LayerRecord> record = core.registry.find(layer);
    const std::shared_ptr<Shadow> shadow = record ? record->shadow.lock() : nullptr;
    if (shadow && !layer->post_load_done) *shadow = copies.of(*layer, *record);
  }
}

int64_t shadow_bytes(const Core& core, const Group& group) {
  std::map<const c10::StorageImpl*, int64_t> bytes;
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    for (const RecordedSlot& slot : member.record->slots)
      if (layer && keeps(core, *layer, slot)) bytes[slot.tensor->placeholder.storage().unsafeGetStorageImpl()] = storage_bytes(slot);
  }
  int64_t sum = 0;
  for (const auto& [storage, size] : bytes) sum += size;
  return sum;
}

void take_shadow(const Core& core, Group& group) {
  Copies copies(core);
  for (Member& member : group.members) member.shadow = copies.of(*member.layer.lock(), *member.record);
}

void adopt_shadow(Group& group) {
  for (Member& member : group.members) {
    Shadow fresh = std::exchange(member.shadow, {});
    if (const std::shared_ptr<Shadow> shadow = member.record->shadow.lock(); shadow && !fresh.empty()) *shadow = std::move(fresh);
  }
}

}  // namespace reloadlab::layerwise
