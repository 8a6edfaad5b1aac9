#include "reference/layerwise/sleep.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "reference/layerwise/accounting/footprint.h"
#include "reference/layerwise/shadow.h"
#include "reference/model/process_tables.h"

namespace reloadlab::layerwise {
namespace {

at::Tensor bytes_of(const c10::Storage& storage) {
  const auto length = static_cast<int64_t>(storage.nbytes());
  return at::empty({0}, at::TensorOptions(at::kByte).device(storage.device())).set_(storage, 0, {length}, {1});
}

// Each storage once.
void keep(Core& core, const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_meta() || tensor.storage().nbytes() == 0) return;
  const c10::Storage& storage = tensor.storage();
  const auto is_kept = [&](const KeptStorage& kept) { return kept.storage._unsafe_get_target() == storage.unsafeGetStorageImpl(); };
  if (std::ranges::any_of(core.kept, is_kept)) return;
  core.kept.push_back({storage.getWeakStorageImpl(), bytes_of(storage).to(at::kCPU, /*non_blocking=*/false, /*copy=*/true)});
}

bool comes_whole(const RecordedSlot& slot) {
  if (!slot.tensor || !slot.tensor->storage) return false;
  std::vector<Footprint> footprints;
  if (!append_footprints(slot.tensor->placeholder, footprints).ok()) return false;
  bool whole = true;
  for (const Footprint& footprint : footprints)
    slot.tensor->storage->loadable.for_each_gap(footprint, [&](const Footprint&) { whole = false; });
  return whole;
}

bool brings(const RecordedSlot& slot) { return slot.tensor && slot.tensor->storage && slot.tensor->storage->loadable.bytes() > 0; }

void keep_layer(Core& core, const model::LayerPtr& layer) {
  for (const auto& [name, helper] : layer->extra.tensors) keep(core, helper);
  const std::shared_ptr<LayerRecord> record = core.registry.find(layer);
  if (record && std::ranges::any_of(record->slots, brings)) core.spoiled.insert(layer);
  if (record && std::ranges::all_of(record->slots, comes_whole)) return;
  model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) { keep(core, slot.handle->tensor); });
  if (!record) return;
  for (const RecordedSlot& slot : record->slots) keep(core, shadow_of(*record, slot.name));
}

}  // namespace

Status sleep(Core& core, model::Model& model, bool keeps_contents) {
  if (core.policy.sleep == Sleep::unheard) return {};
  if (core.open_update()) return Status(Code::misuse, "a reload has begun and has not ended");
  if (core.asleep) return Status(Code::misuse, "the model sleeps already");
  core.asleep = true;
  if (keeps_contents) return {};
  for (const model::LayerPtr& layer : model.layers()) keep_layer(core, layer);
  for (const auto& [name, table] : model::process_tables()) keep(core, table);
  return {};
}

Status wake(Core& core) {
  core.asleep = false;
  for (const KeptStorage& kept : core.kept)
    if (auto storage = kept.storage.lock()) bytes_of(c10::Storage(std::move(storage))).copy_(kept.bytes);
  core.kept.clear();
  return {};
}

}  // namespace reloadlab::layerwise
