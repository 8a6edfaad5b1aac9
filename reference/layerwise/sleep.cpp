#include "reference/layerwise/sleep.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "reference/layerwise/accounting/footprint.h"
#include "reference/layerwise/shadow.h"
#include "reference/model/process_tables.h"

namespace reloadlab::layerwise {
namespace {

at::Tensor as_bytes(const c10::Storage& storage) {
  const auto length = static_cast<int64_t>(storage.nbytes());
  return at::empty({0}, at::TensorOptions(at::kByte).device(storage.device())).set_(storage, 0, {length}, {1});
}

// Each storage once.
void keep_bytes(Kept& all, const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_meta() || tensor.storage().nbytes() == 0) return;
  const c10::Storage& storage = tensor.storage();
  const auto is_kept = [&](const Kept::Storage& kept) { return kept.storage._unsafe_get_target() == storage.unsafeGetStorageImpl(); };
  if (std::ranges::any_of(all.storages, is_kept)) return;
  all.storages.push_back({storage.getWeakStorageImpl(), as_bytes(storage).to(at::kCPU, /*non_blocking=*/false, /*copy=*/true)});
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

void keep_layer(Core& core, Kept& all, const model::LayerPtr& layer) {
  for (const auto& [name, helper] : layer->extra.tensors) keep_bytes(all, helper);
  const std::shared_ptr<LayerRecord> record = core.registry.find(layer);
  if (record && std::ranges::any_of(record->slots, brings)) core.spoiled.insert(layer);
  if (record && std::ranges::all_of(record->slots, comes_whole)) return;
  model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) { keep_bytes(all, slot.handle->tensor); });
  if (!record) return;
  for (const RecordedSlot& slot : record->slots) keep_bytes(all, shadow_of(*record, slot.name));
}

// Says what whoever was asked before says.
void give_to(model::Model& model, const std::shared_ptr<Kept>& kept) {
  kept->on_unexpected_before = std::move(model.on_unexpected_name);
  model.on_unexpected_name = [kept](std::string_view name) {
    return kept->on_unexpected_before ? kept->on_unexpected_before(name) : Status();
  };
}

}  // namespace

Status sleep(Core& core, model::Model& model, bool keeps_contents) {
  if (core.policy.sleep == Sleep::unheard) return {};
  if (core.open_update()) return Status(Code::misuse, "a reload has begun and has not ended");
  if (core.asleep) return Status(Code::misuse, "the model sleeps already");
  core.asleep = true;
  if (keeps_contents) return {};
  const auto kept = std::make_shared<Kept>();
  for (const model::LayerPtr& layer : model.layers()) keep_layer(core, *kept, layer);
  for (const auto& [name, table] : model::process_tables()) keep_bytes(*kept, table);
  give_to(model, kept);
  core.kept = kept;
  return {};
}

Status wake(Core& core, model::Model& model) {
  core.asleep = false;
  const std::shared_ptr<Kept> kept = core.kept.lock();
  if (!kept) return {};
  for (const auto& [weak, bytes] : kept->storages)
    if (auto storage = weak.lock()) as_bytes(c10::Storage(std::move(storage))).copy_(bytes);
  model.on_unexpected_name = std::move(kept->on_unexpected_before);
  return {};
}

}  // namespace reloadlab::layerwise
