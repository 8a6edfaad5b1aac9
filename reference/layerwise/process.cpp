#include "reference/layerwise/process.h"

#include <fmt/format.h>

#include "reference/layerwise/backup.h"
#include "reference/layerwise/copy_back.h"
#include "reference/layerwise/landing.h"
#include "reference/layerwise/materialize.h"
#include "reference/layerwise/shadow.h"
#include "reference/layerwise/unloaded.h"
#include "reference/model/guard.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

using model::EngineEventKind;

void tell_all(const Core& core, const Group& group, EngineEventKind kind) {
  for (const Member& member : group.members) core.tell(kind, member.path());
}

// Skipped tensors stand in their slots with the wrapper on; materialized ones have none. vLLM gives all of them a loader, which is seen
// where copying back fails and they stay.
void unwrap_all(const Core& core, const Group& group) {
  const bool all = core.policy.records == Records::lent;
  for (const Member& member : group.members)
    model::for_each_tensor(*member.layer.lock(), [&](const model::Slot& slot, bool) {
      if (all || is_wrapped(*slot.handle)) slot.handle->loader = unwrapped(slot.handle->loader);
    });
}

Status replay(const Core& core, Group& group) {
  for (BufferedLoad& load : group.loads) {
    const Member& member = group.members[load.member];
    const model::ParameterPtr handle = member.layer.lock()->tensor(load.slot);
    if (!handle) return Status(Code::failed, fmt::format("{} has no tensor called {}", member.path(), load.slot));
    if (core.policy.failed_load == FailedLoad::keep) load.onto = handle;
    RELOADLAB_TRY((*unwrapped(handle->loader))(*handle, load.loaded, load.args));
  }
  return {};
}

Status post_load(const Group& group, OwnStep own_step) {
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    if (layer->quant_method) RELOADLAB_TRY(layer->quant_method->process_weights_after_loading(*layer));
    if (own_step == OwnStep::within) RELOADLAB_TRY(model::run_own_post_load(*layer));
  }
  return {};
}

void forget_post_loads(const Group& group) {
  for (const Member& member : group.members) member.layer.lock()->post_load_done = false;
}

Status replay_all(Core& core, Update& update, Group& group, OwnStep own_step) {
  update.transfer.join();
  if (core.policy.abort == Abort::backup && !group.landed) take_backup(group, core.policy.gather);
  materialize(core, group);
  RELOADLAB_TRY(fill_unloaded(core, group));
  forget_post_loads(group);
  unwrap_all(core, group);
  RELOADLAB_TRY(replay(core, group));
  take_shadow(core, group);
  RELOADLAB_TRY(post_load(group, own_step));
  tell_all(core, group, EngineEventKind::processed);
  RELOADLAB_TRY(copy_back(core, group));
  tell_all(core, group, EngineEventKind::copied_back);
  return {};
}

// What is left to do for a group that has landed.
Status has_landed(const Core& core, Update& update, const Group& group) {
  update.transfer.flush();
  forget_post_loads(group);
  tell_all(core, group, EngineEventKind::processed);
  tell_all(core, group, EngineEventKind::copied_back);
  return {};
}

Status run(Core& core, Update& update, Group& group, OwnStep own_step) {
  const bool landed = own_step == OwnStep::apart && (landed_whole(group) || land_whole(core, group));
  return landed ? has_landed(core, update, group) : replay_all(core, update, group, own_step);
}

// The group is done. Lent records go back to where they were before begin; sealed ones remember what came, for late loads.
void retire(const Core& core, Group& group) {
  for (Member& member : group.members) put_kernel_back(core, member);
  group.loads.clear();
  group.places.clear();
  group.landed = false;
  group.buffered_bytes = 0;
  tell_all(core, group, EngineEventKind::disarmed);
  group.state = core.policy.records == Records::lent ? Group::State::idle : Group::State::committed;
  if (core.policy.records == Records::sealed) return;
  group.progress->reset();
  for (Member& member : group.members) {
    member.kernel_parameters = member.kernel_buffers = model::Slots();
    member.kernel_extra = model::ExtraState();
  }
}

struct ArmedSlots {
  model::Slots parameters, buffers;
};

void undo(Core& core, Update& update, Group& group, std::vector<ArmedSlots>& armed) {
  for (size_t i = 0; i < group.members.size(); ++i) {
    const model::LayerPtr layer = group.members[i].layer.lock();
    layer->parameters = std::move(armed[i].parameters);
    layer->buffers = std::move(armed[i].buffers);
    restore_extra(group.members[i]);
    group.members[i].shadow.clear();
  }
  if (group.kernel_written && (group.backup.empty() || group.landed)) update.broken = true;
  if (group.kernel_written && group.backup.empty()) core.spoil(group);
  if (group.landed) return;  // what has landed goes with the update
  if (!group.kernel_written) group.backup.clear();
  if (group.kernel_written && !group.backup.empty()) restore_backup(group);
}

}  // namespace

Status process(Core& core, Update& update, Group& group, OwnStep own_step) {
  const bool undoes = core.policy.failed_load != FailedLoad::keep;
  std::vector<ArmedSlots> armed;  // what an update that failed has left in the slots is let go of where nothing is undone
  for (const Member& member : group.members)
    if (undoes) armed.push_back({member.layer.lock()->parameters, member.layer.lock()->buffers});
  tell_all(core, group, EngineEventKind::completed);
  const SettingsScope settings(core);
  Status status = model::guarded([&] { return run(core, update, group, own_step); });
  if (status.ok()) {
    group.progress->credit();
    if (core.policy.abort != Abort::backup) adopt_shadow(group);
    retire(core, group);
    return {};
  }
  if (!undoes) return status;
  Status undone = model::guarded([&] { return undo(core, update, group, armed), Status(); });
  if (!undone.ok()) update.broken = true;
  return status;
}

}  // namespace reloadlab::layerwise
