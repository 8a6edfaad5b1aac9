#include "reference/layerwise/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reference/layerwise/backup.h"
#include "reference/layerwise/shadow.h"
#include "reference/model/kind.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/step_helpers.h"
#include "reference/model/transpose_tile.h"

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

model::Lying lying(const at::Tensor& tensor) {
  return {tensor.sizes().vec(), tensor.strides().vec(), model::from_torch(tensor.scalar_type())};
}

// Of a load that will be replayed.
int64_t tile_bytes(const model::Layer& layer, const BufferedLoad& load) {
  const auto same = [&](const model::Delivery& delivery) {
    return delivery.slot == load.slot && delivery.shard == load.args.shard && delivery.expert == load.args.expert &&
           delivery.part == load.args.part;
  };
  const std::vector<model::SlotSpec> slots = layer.kind->slots(layer.spec, layer.tp);
  const model::SlotSpec* slot = model::find_slot(slots, load.slot);
  const std::vector<model::Delivery> deliveries = layer.kind->deliveries(layer.spec);
  const auto delivery = std::ranges::find_if(deliveries, same);
  if (!slot || delivery == deliveries.end()) return 0;
  return model::loader_tile_bytes(lying(load.loaded), *slot, layer.kind->placements(layer.spec, *delivery, layer.tp));
}

// ATen moves the bytes here, and they may lie column by column.
bool may_take_tiles(const at::Tensor& loaded) { return loaded.is_cpu() && loaded.dim() == 2 && loaded.stride(0) == 1; }

int64_t tile_bytes(const Group& group) {
  int64_t most = 0;
  for (const BufferedLoad& load : group.loads) {
    const model::LayerPtr layer = group.members[load.member].layer.lock();
    if (layer && layer->kind && may_take_tiles(load.loaded)) most = std::max(most, tile_bytes(*layer, load));
  }
  return most;
}

// Loads are replayed one after the other: the most that one of them takes for itself.
int64_t loader_scratch(const Member& member) {
  const model::LayerPtr layer = member.layer.lock();
  int64_t most = 0;
  if (!layer || !layer->kind) return most;
  const auto operators = model::default_device().is_cuda() ? model::Operators::cuda : model::Operators::cpu;
  for (const model::Delivery& delivery : layer->kind->deliveries(layer->spec))
    most = std::max(most, layer->kind->loader_scratch_bytes(layer->spec, delivery, layer->tp, operators));
  return most;
}

// What stays of a post-load step. Where a group has several they are of methods that take ties, which make what they do not permute.
int64_t made_bytes(const model::QuantInfo& quant, const std::vector<model::SlotSpec>& before) {
  int64_t bytes = 0;
  for (const model::SlotSpec& slot : quant.results(before))
    if (!quant.permutes(slot.name)) bytes += model::storage_bytes(slot);
  return bytes;
}

// Post-load steps run one after the other: what they make adds up until the copy back, what else they take is gone before the next.
class PostLoads {
 public:
  void add(const Member& member, const std::vector<model::SlotSpec>& before) {
    const model::LayerPtr layer = member.layer.lock();
    const model::QuantInfo* quant = layer && layer->quant_method ? model::find_quant_method(layer->quant_method->id()) : nullptr;
    if (!quant) return;
    peak_ = std::max(peak_, made_ + quant->extra_bytes(before));
    made_ += made_bytes(*quant, before);
  }
  int64_t peak() const { return peak_; }

 private:
  int64_t made_ = 0, peak_ = 0;
};

template <class Fn>
void for_each_helper(const Group& group, Fn&& fn) {
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    if (!layer) continue;
    if (layer->quant_method)
      for (const model::SlotSpec& helper : model::step_helpers(layer->quant_method->id())) fn(model::storage_bytes(helper));
    if (!layer->own_post_load) continue;
    for (const auto& [name, helper] : member.kernel_extra.tensors) fn(static_cast<int64_t>(helper.nbytes()));
  }
}

// A helper goes as soon as its content is in the old one, of which there is a copy by then.
int64_t largest_helper(const Group& group) {
  int64_t most = 0;
  for_each_helper(group, [&](int64_t bytes) { most = std::max(most, bytes); });
  return most;
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

int64_t copying_bytes(const at::Tensor& loaded) { return may_take_tiles(loaded) ? model::clone_tile_bytes(lying(loaded)) : 0; }

int64_t own_step_bytes(const Group& group) {
  int64_t bytes = 0;
  for_each_helper(group, [&](int64_t helper) { bytes += helper; });
  for (const Member& member : group.members) bytes += member.record->read_bytes;
  return bytes;
}

int64_t processing_bytes(const Core& core, const Group& group) {
  std::set<const c10::StorageImpl*> seen;
  const bool backup = core.policy.abort == Abort::backup;
  PostLoads post_loads;
  int64_t scratch = tile_bytes(group);
  for (const Member& member : group.members) {
    post_loads.add(member, slots_before(member, seen));
    scratch = std::max(scratch, loader_scratch(member));
  }
  const int64_t steps = shadow_bytes(core, group) + post_loads.peak() + own_step_bytes(group) + (backup ? largest_helper(group) : 0);
  int64_t bytes = (backup ? kernel_bytes(group) : 0) + std::max(steps, scratch);
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
