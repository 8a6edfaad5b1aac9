#include <fmt/format.h>

#include "reference/model/guard.h"
#include "reference/shared_series/core.h"

namespace reloadlab::shared_series {

Status Series::may_recover(std::string_view call) const {
  if (!recovers()) return {Code::unsupported, fmt::format("no {}", call)};
  if (ring_.windows.empty()) return misuse(fmt::format("{} before loading was finished", call));
  if (asleep_) return misuse(fmt::format("{} while the model sleeps", call));
  if (phase_ != Phase::running) return misuse(fmt::format("{} after finish_loading() failed", call));
  return {};
}

Status Series::whole() const {
  if (lost_) return misuse("the weights were lost in a sleep: a reload has to succeed first");
  return torn_ ? misuse("the weights are of two versions: a reload has to succeed first") : Status();
}

// What was read has to be reached again: in a capture nothing has arrived yet. What was in flight is forgotten in any case: where it could
// not be waited for, nobody knows what windows hold.
Status Series::drain() {
  RELOADLAB_TRY(may_recover("drain"));
  const Status drained = model::guarded([&] {
    ring_.drain(current());
    return refuse_capture();
  });
  if (read_) reached_ = std::nullopt;
  if (!drained.ok() && stopped_.ok()) stopped_ = misuse("what was in flight could not be waited for: reset() begins anew");
  return drained;
}

// A graph holds the windows of the pass that was captured. Where the next pass finds its layers in others, no replay could follow another
// one, and no pass a capture that is not replayed.
Status Series::refuse_capture() {
  if (!checked() || policy_.binding == Binding::fixed || count() % (prefetch_ + 1) == 0) return {};
  if (ring_.in_capture(current())) {
    stopped_ =
        misuse(fmt::format("a pass of {} layers was captured, whose {} windows do not come back to where they were: binding=static "
                           "has graphs, and reset() begins anew",
                           count(), prefetch_ + 1));
    return stopped_;
  }
  ring_.note_outside(current());
  return {};
}

Status Series::reset() {
  RELOADLAB_TRY(may_recover("reset"));
  RELOADLAB_TRY(whole());
  if (reload_ == Arrival::checkpoint)
    for (Member& member : members_) close_layer(member);
  // Owners may have been written to; and what is open here may have been closed on other ranks.
  version_ = announced_;
  reload_ = std::nullopt;
  return prime();
}

// The current stream comes after what is in flight. What cannot be waited for, as what a capture issued that was given up, never writes.
void Series::forget() { (void)drain(); }

// The state that finish_loading() leaves, and new bytes.
Status Series::prime() {
  forget();
  ring_.next = WindowSlot{prefetch_};
  expected_ = {0};
  reached_ = std::nullopt;
  stopped_ = Status();
  for (Window& window : ring_.windows) {
    window.tenant = std::nullopt;
    window.state = SlotState::empty;
  }
  for (int64_t offset = 0; offset <= prefetch_; ++offset)
    if (SeriesOffset one{offset}; one != unfilled_) RELOADLAB_TRY(fetch(one, WindowSlot{offset}));
  return end_pass();
}

// Who has no way to begin anew does not hear of it.
Status Series::sleep(bool keeps_contents) {
  if (!recovers()) return {};
  RELOADLAB_TRY(may_recover("sleep"));
  if (reload_) return misuse("sleep while a reload is open");
  RELOADLAB_TRY(drain());
  asleep_ = true;
  lost_ = lost_ || !keeps_contents;
  return {};
}

Status Series::wake() {
  asleep_ = false;
  return {};
}

Status Series::begin_reload(Arrival arrival) {
  RELOADLAB_TRY(may_recover("reload"));
  if (reload_) return misuse("a reload is open");
  ++announced_;
  forget();
  reload_ = arrival;
  if (arrival == Arrival::in_place) return {};
  return model::guarded([&] {
    for (Member& member : members_) open_layer(member);
    return Status();
  });
}

Status Series::reload() {
  RELOADLAB_TRY(may_recover("reload"));
  if (!reload_) return misuse("reload() without begin_reload()");
  const Arrival arrival = *std::exchange(reload_, std::nullopt);
  const Status taken = arrival == Arrival::checkpoint ? model::guarded([&] { return take_checkpoint(); }) : Status();
  for (Member& member : members_) close_layer(member);
  RELOADLAB_TRY(Status(taken));
  version_ = announced_;
  torn_ = lost_ = false;
  return prime();
}

}  // namespace reloadlab::shared_series
