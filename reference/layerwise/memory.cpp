#include "reference/layerwise/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/layerwise/backup.h"
#include "reference/layerwise/shadow.h"
#include "reference/model/kind.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

// The layer's slots before its post-load step, as its quantization method's arithmetic wants them.
std::vector<model::SlotSpec> slots_before(const Member& member, std::set<const c10::StorageImpl*>& seen) {
  std::vector<model::SlotSpec> slots;
  for (const RecordedSlot& slot : member.record->slots) {
    if (!slot.tensor) continue;
    const at::Tensor& tensor = slot.tensor->placeholder;
    model::SlotSpec spec{.name = slot.name, .shape = tensor.sizes().vec(), .dtype = model::from_torch(tensor.scalar_type())};
    spec.kind = slot.parameter ? model::SlotSpec::Kind::parameter : model::SlotSpec::Kind::buffer;
    if (!seen.insert(tensor.storage().unsafeGetStorageImpl()).second) spec.alias_of = slot.name;
    slots.push_back(std::move(spec));
  }
  return slots;
}

// Loads are replayed one after the other: the most that one of them takes for itself.
int64_t loader_scratch(const Member& member) {
  const model::LayerPtr layer = member.layer.lock();
  int64_t most = 0;
  if (!layer || !layer->kind) return most;
  for (const model::Delivery& delivery : layer->kind->deliveries(layer->spec))
    most = std::max(most, layer->kind->loader_scratch_bytes(layer->spec, delivery, layer->tp));
  return most;
}

int64_t post_load_bytes(const Member& member, const std::vector<model::SlotSpec>& slots) {
  model::LayerPtr layer = member.layer.lock();
  if (!layer || !layer->quant_method) return 0;
  const model::QuantInfo* info = model::find_quant_method(layer->quant_method->id());
  return info ? info->extra_bytes(slots) : 0;
}

}  // namespace

int64_t extra_bytes(const Update& update) {
  int64_t bytes = 0;
  for (const auto& group : update.groups) {
    bytes += group->buffered_bytes;
    for (const SavedTensor& saved : group->backup) bytes += static_cast<int64_t>(saved.bytes.nbytes());
    std::set<const c10::StorageImpl*> copies;  // tied slots share one
    for (const Member& member : group->members)
      for (const auto& [slot, copy] : member.shadow)
        if (copies.insert(copy.storage().unsafeGetStorageImpl()).second) bytes += static_cast<int64_t>(copy.storage().nbytes());
  }
  return bytes;
}

int64_t helper_bytes(const Group& group) {
  int64_t bytes = 0;
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    if (!layer || !layer->own_post_load) continue;
    for (const auto& [name, helper] : member.kernel_extra.tensors) bytes += static_cast<int64_t>(helper.nbytes());
  }
  return bytes;
}

int64_t processing_bytes(const Core& core, const Group& group) {
  std::set<const c10::StorageImpl*> seen;
  const bool backup = core.policy.abort == Abort::backup;
  int64_t results = shadow_bytes(core, group) + (backup ? 2 : 1) * helper_bytes(group), scratch = 0;
  for (const Member& member : group.members) {
    results += post_load_bytes(member, slots_before(member, seen));
    scratch = std::max(scratch, loader_scratch(member));
  }
  int64_t bytes = (backup ? kernel_bytes(group) : 0) + std::max(results, scratch);
  for (const c10::StorageImpl* storage : seen) bytes += static_cast<int64_t>(storage->nbytes());
  return bytes;
}

Status stays_in_limit(const Core& core, const Update& update, int64_t more) {
  if (!core.options.extra_bytes_limit) return {};
  const int64_t needed = extra_bytes(update) + more;
  if (needed <= *core.options.extra_bytes_limit) return {};
  return Status(Code::rejected, fmt::format("the load needs {} extra bytes, the limit is {}", needed, *core.options.extra_bytes_limit));
}

}  // namespace reloadlab::layerwise
