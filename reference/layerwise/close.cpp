#include "reference/layerwise/close.h"

#include "reference/layerwise/backup.h"
#include "reference/layerwise/copy_back.h"
#include "reference/layerwise/materialize.h"
#include "reference/model/guard.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

void put_back(Core& core, Group& group) {
  if (group.state == Group::State::armed)
    for (Member& member : group.members) put_kernel_back(core, member);
  if (!group.kernel_written) return;
  if (group.backup.empty()) return core.spoil(group);
  restore_backup(group);
  for (Member& member : group.members) restore_extra(member);
}

// A deferred layer's own step ran on tensors that no load had changed, and derived from others that are back now.
Status derive_again(Group& group) {
  if (!group.own_step_ran || group.state == Group::State::committed) return {};
  for (Member& member : group.members) {
    restore_extra(member);
    const model::LayerPtr layer = member.layer.lock();
    RELOADLAB_TRY(run_in_place(*layer, [&] { return model::run_own_post_load(*layer); }));
  }
  return {};
}

bool alive(const Group& group) { return !group.members.front().layer.expired(); }

}  // namespace

void restore_flag(Update& update, model::Model& model) {
  if (!update.remembers_flag) return;
  model.flags.erase("_do_torchao_reload");
  if (update.torchao_flag) model.flags.emplace("_do_torchao_reload", *update.torchao_flag);
}

Status report_missing(const Core& core, const Update& update) {
  if (core.policy.missing == Coverage::silent) return {};
  Status first;
  for (const auto& group : update.groups) {
    if (!group->progress) continue;
    for (const Missing& missing : group->progress->missing()) {
      const std::string& layer = missing.layer.empty() ? group->members.front().path() : missing.layer;
      Status status = core.cover(core.policy.missing, model::EngineEventKind::missing, layer, missing.slot, missing.numel, "did not come");
      if (first.ok()) first = status;
    }
  }
  return first;
}

Status abandon(Core& core, Update& update, model::Model& model) {
  update.transfer.drop();
  Status put = model::guarded([&] {
    for (const auto& group : update.groups)
      if (alive(*group)) put_back(core, *group);
    return Status();
  });
  if (!put.ok()) {
    update.broken = true;
    for (const auto& group : update.groups)
      if (group->kernel_written) core.spoil(*group);
    return put;
  }
  Status derived;
  for (const auto& group : update.groups) {
    if (!alive(*group)) continue;
    Status status = model::guarded([&] { return derive_again(*group); });
    if (!status.ok()) core.spoil(*group);
    if (derived.ok()) derived = status;
  }
  close(core, update, model);
  return derived;
}

void close(Core& core, Update& update, model::Model& model) {
  restore_flag(update, model);
  if (update.hooked) model.on_unexpected_name = std::move(update.on_unexpected_before);
  update.hooked = false;
  update.open = false;
  core.tracker.unwatch_all();
  update.transfer.drop();
  for (const auto& group : update.groups) {
    group->loads.clear();
    group->backup.clear();
    group->places.clear();
    group->landed = false;
    group->buffered_bytes = 0;
    group->state = Group::State::idle;
    for (Member& member : group->members) {
      member.kernel_parameters = member.kernel_buffers = model::Slots();
      member.kernel_extra = model::ExtraState();
      member.shadow.clear();
    }
  }
}

}  // namespace reloadlab::layerwise
