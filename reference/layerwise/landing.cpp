#include "reference/layerwise/landing.h"

#include <algorithm>

#include "reference/base/check.h"
#include "reference/layerwise/backup.h"
#include "reference/layerwise/memory.h"
#include "reference/layerwise/storage.h"
#include "reference/model/guard.h"

namespace reloadlab::layerwise {
namespace {

const model::ParameterPtr* kernel_of(const Member& member, const RecordedSlot& slot) {
  const model::Slot* kernel = (slot.parameter ? member.kernel_parameters : member.kernel_buffers).find(slot.name);
  return kernel && kernel->handle ? &kernel->handle : nullptr;
}

bool lies_alike(const at::Tensor& kernel, const at::Tensor& recorded) {
  return kernel.defined() && same_layout(kernel, recorded) && kernel.storage_offset() == recorded.storage_offset() &&
         kernel.storage().nbytes() == recorded.storage().nbytes();
}

// False: the storage of the placeholder is another kernel storage already.
bool add_place(std::vector<Place>& places, const at::Tensor& recorded, const at::Tensor& kernel) {
  const c10::StorageImpl* storage = recorded.storage().unsafeGetStorageImpl();
  for (const Place& place : places)
    if (place.placeholder == storage) return place.kernel.is_alias_of(kernel);
  places.push_back({storage, kernel});
  return true;
}

bool add_places(const Member& member, std::vector<Place>& places) {
  for (const RecordedSlot& slot : member.record->slots) {
    if (!slot.tensor) continue;
    const model::ParameterPtr* kernel = kernel_of(member, slot);
    const at::Tensor& recorded = slot.tensor->placeholder;
    if (!kernel || !lies_alike((*kernel)->tensor, recorded) || !add_place(places, recorded, (*kernel)->tensor)) return false;
  }
  return true;
}

// A loader that registers or removes a tensor is the replay's business.
bool has_its_slots(const model::Layer& layer, const Member& member) {
  bool known = true;
  model::for_each_tensor(layer, [&](const model::Slot& slot, bool parameter) {
    const RecordedSlot* recorded = member.record->find(slot.name);
    const model::Slot* kernel = (parameter ? member.kernel_parameters : member.kernel_buffers).find(slot.name);
    const bool stays = kernel && kernel->handle == slot.handle;
    if (!stays && !(recorded && recorded->tensor && is_wrapped(*slot.handle))) known = false;
  });
  for (const RecordedSlot& slot : member.record->slots)
    if (slot.tensor && !layer.tensor(slot.name)) known = false;
  return known;
}

bool find_places(Group& group) {
  group.places.clear();
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    if (!layer || layer->quant_method || !has_its_slots(*layer, member) || !add_places(member, group.places)) return false;
  }
  return !group.deferred;
}

const at::Tensor& place_of(const Group& group, const at::Tensor& placeholder) {
  const c10::StorageImpl* storage = placeholder.storage().unsafeGetStorageImpl();
  for (const Place& place : group.places)
    if (place.placeholder == storage) return place.kernel;
  RELOADLAB_CHECK(false, "a load was counted on a tensor of another group");
}

bool reads_kernel(const Group& group, const PlainCopies& copies) {
  for (const PlainCopy& copy : copies)
    for (const Place& place : group.places)
      if (copy.from.is_alias_of(place.kernel)) return true;
  return false;
}

// Under buffering=owned what is kept is another tensor than the one that came.
bool is_kept(const Core& core) { return core.policy.buffering == Buffering::by_reference || !core.options.transport_reuses_buffers; }

bool lie_alike(const at::Tensor& a, const at::Tensor& b) {
  return a.is_alias_of(b) && a.storage_offset() == b.storage_offset() && a.nbytes() == b.nbytes() && same_layout(a, b);
}

// The last of two copies to one place wins, and the place is written once. False: they overlap in another way.
bool drop_earlier(Group& group, size_t again) {
  for (const PlainCopy& copy : group.loads[again].copies) {
    const auto to_same = [&](const PlainCopy& earlier) { return lie_alike(earlier.to, copy.to); };
    size_t dropped = 0;
    for (size_t i = 0; i < again; ++i) {
      PlainCopies& copies = group.loads[i].copies;
      const auto rest = std::remove_if(copies.begin(), copies.end(), to_same);
      dropped += static_cast<size_t>(copies.end() - rest);
      copies.erase(rest, copies.end());
    }
    if (dropped == 0) return false;
  }
  return true;
}

bool all_land(Group& group) {
  for (const BufferedLoad& load : group.loads)
    if (load.copies.empty() || reads_kernel(group, load.copies)) return false;
  for (size_t i = 0; i < group.loads.size(); ++i)
    if (group.loads[i].again && !drop_earlier(group, i)) return false;
  return true;
}

void transfer_all(const Core& core, Group& group) {
  Transfer transfer(core.policy.gather);
  for (const BufferedLoad& load : group.loads)
    for (const PlainCopy& copy : load.copies) transfer.add(place_of(group, copy.to), copy);
  transfer.join();
}

// At the first load of the group that lands.
Status begin_landing(Core& core, Update& update, const LoadCall& call) {
  Group& group = call.group;
  if (group.landed) return {};
  if (core.policy.abort == Abort::backup) {
    const auto in_flight = static_cast<int64_t>(call.loaded.storage().nbytes());
    if (core.options.extra_bytes_limit) RELOADLAB_TRY(stays_in_limit(core, update, in_flight + kernel_bytes(group)));
    RELOADLAB_TRY(model::guarded([&] { return take_backup(group, core.policy.gather), Status(); }));
  }
  group.landed = group.kernel_written = true;
  return {};
}

}  // namespace

PlainCopies landing_copies(const Core& core, const LoadCall& call, Counted& counted) {
  const Landing landing = core.policy.landing;
  if (landing == Landing::materialized || (landing == Landing::whole && !is_kept(core))) return {};
  for (const PlainCopy& copy : counted.copies)
    if (!copy.from.is_alias_of(call.loaded)) return {};
  return std::move(counted.copies);
}

bool land_whole(const Core& core, Group& group) {
  if (core.policy.landing == Landing::materialized || group.landed || !group.progress->would_complete()) return false;
  const bool lands = find_places(group) && all_land(group);
  if (lands && core.policy.abort == Abort::backup) take_backup(group, core.policy.gather);
  if (lands) group.kernel_written = true;
  if (lands) transfer_all(core, group);
  group.places.clear();
  return lands;
}

bool landed_whole(const Group& group) {
  if (!group.landed || !group.loads.empty() || !group.progress->would_complete()) return false;
  for (const Member& member : group.members)
    if (!has_its_slots(*member.layer.lock(), member)) return false;
  return true;
}

bool may_land(const Core& core, Group& group, const PlainCopies& copies) {
  if (core.policy.landing != Landing::direct || copies.empty() || !group.loads.empty()) return false;
  if (!group.landed && !find_places(group)) return false;
  return !reads_kernel(group, copies);
}

Status land_load(Core& core, Update& update, const LoadCall& call, const PlainCopies& copies, bool again) {
  RELOADLAB_TRY(begin_landing(core, update, call));
  Group& group = call.group;
  const bool waits = !core.options.transport_reuses_buffers && !core.options.extra_bytes_limit;
  Status status = model::guarded([&] {
    if (again) update.transfer.join();
    for (const PlainCopy& copy : copies) update.transfer.add(place_of(group, copy.to), copy);
    if (!waits) update.transfer.join();
    return Status();
  });
  if (status.ok()) return status;
  update.broken = true;
  if (group.backup.empty()) core.spoil(group);
  return status;
}

}  // namespace reloadlab::layerwise
