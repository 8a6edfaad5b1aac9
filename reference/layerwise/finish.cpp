// LW7: a reload ends.
#include <fmt/format.h>

#include <algorithm>

#include "reference/layerwise/close.h"
#include "reference/layerwise/copy_back.h"
#include "reference/layerwise/grouping.h"
#include "reference/layerwise/materialize.h"
#include "reference/layerwise/memory.h"
#include "reference/layerwise/process.h"
#include "reference/layerwise/shadow.h"
#include "reference/model/guard.h"
#include "reference/model/post_load.h"

namespace reloadlab::layerwise {
namespace {

using model::EngineEventKind;

void disarm(const Core& core, Group& group) {
  for (Member& member : group.members) put_kernel_back(core, member);
  if (group.state == Group::State::armed)
    for (const Member& member : group.members) core.tell(EngineEventKind::disarmed, member.path());
}

// What a layer's record becomes when its part of the update is over (lent records are used again by the next begin).
void reset(const Core& core, Group& group) {
  group.loads.clear();  // also those of which this rank took nothing: they would count until the end of the update
  group.buffered_bytes = 0;
  if (core.policy.records == Records::sealed) {
    if (group.state == Group::State::armed) group.state = Group::State::idle;
    return;
  }
  group.state = Group::State::idle;
  if (group.progress) group.progress->reset();
  for (Member& member : group.members) {
    member.kernel_parameters = member.kernel_buffers = model::Slots();
    member.kernel_extra = model::ExtraState();
  }
}

Status run_own_steps(const Core& core, Group& group) {
  group.own_step_ran = true;
  for (const Member& member : group.members) {
    const model::LayerPtr layer = member.layer.lock();
    auto step = [&] { return model::run_own_post_load(*layer); };
    RELOADLAB_TRY(core.policy.derived == Derived::in_place ? run_in_place(*layer, step) : step());
  }
  return {};
}

// The others' steps look at nothing that lands, and need not wait for it.
bool reads_others(const Group& group) {
  return std::ranges::any_of(group.members, [](const Member& member) { return member.layer.lock()->own_post_load.looks_beyond(); });
}

// A group that an abandoned update left a mixture in may have derived from that mixture.
bool derives_what_is_there(const Core& core, const Group& group, bool received) {
  const auto spoiled = [&](const Member& member) { return core.is_spoiled(member.layer.lock()); };
  return core.policy.own_steps == OwnSteps::needed && !received && !reads_others(group) && std::ranges::none_of(group.members, spoiled);
}

Status process_in_limit(Core& core, Update& update, Group& group, OwnStep own_step) {
  if (core.options.extra_bytes_limit) RELOADLAB_TRY(stays_in_limit(core, update, processing_bytes(core, group)));
  return process(core, update, group, own_step);
}

Status finish_deferred(Core& core, Update& update, Group& group) {
  const bool received = group.progress && group.progress->received();
  if (received && core.policy.scales == Scales::unsupported)
    return Status(Code::unsupported, fmt::format("{}: reload of attention scales is not implemented", group.members.front().path()));
  if (received && group.state == Group::State::armed) return process_in_limit(core, update, group, OwnStep::within);
  if (core.policy.derived == Derived::in_turn || group.state == Group::State::armed) disarm(core, group);
  if (derives_what_is_there(core, group, received)) return {};
  RELOADLAB_TRY(stays_in_limit(core, update, own_step_bytes(group)));
  if (reads_others(group)) update.transfer.join();
  return run_own_steps(core, group);
}

Status finish_group(Core& core, Update& update, Group& group) {
  if (group.members.front().layer.expired()) return {};
  if (group.deferred) {
    RELOADLAB_TRY(finish_deferred(core, update, group));
  } else if (group.state == Group::State::armed && !group.progress->received()) {
    disarm(core, group);
  } else if (group.state == Group::State::armed && !group.progress->complete()) {
    RELOADLAB_TRY(process_in_limit(core, update, group, OwnStep::apart));
  }
  reset(core, group);
  return {};
}

Status finish_groups(Core& core, Update& update) {
  const bool in_turn = core.policy.derived == Derived::in_turn;
  for (const auto& group : update.groups)
    if (in_turn || !group->deferred) RELOADLAB_TRY(finish_group(core, update, *group));
  for (const auto& group : update.groups)
    if (!in_turn && group->deferred) RELOADLAB_TRY(finish_group(core, update, *group));
  return {};
}

}  // namespace

Status finish(Core& core, model::Model& model) {
  std::shared_ptr<Update> update = core.open_update();
  if (!update && core.policy.misuse == Misuse::error) return Status(Code::misuse, "no reload has begun");
  if (!update) return Status(Code::failed, "the torchao-reload flag was never remembered");
  if (core.policy.misuse == Misuse::undefined) {
    restore_flag(*update, model);
    form_groups(core, *update, model);
    RELOADLAB_TRY(report_missing(core, *update));
    return finish_groups(core, *update);
  }
  Status status = update->broken ? Status(Code::rejected, "the update failed between two copies back") : report_missing(core, *update);
  if (status.ok()) status = model::guarded([&] { return update->transfer.flush(), finish_groups(core, *update); });
  if (!status.ok()) {
    Status abandoned = abandon(core, *update, model);
    return abandoned.ok() ? status : Status(status.code(), status.message() + "; and it could not be abandoned: " + abandoned.message());
  }
  core.heal(*update);
  for (const auto& group : update->groups) adopt_shadow(*group);
  close(core, *update, model);
  return {};
}

}  // namespace reloadlab::layerwise
