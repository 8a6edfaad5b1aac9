#include "sim/scenario/bind_sleep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/scenario/spelling.h"

namespace reloadlab::sim {
namespace {

bool is_meant(const Step& step) { return step.outcome == Step::Outcome::ok; }

}  // namespace

void SleepBinder::follow(const Step& step, bool series) {
  switch (step.kind) {
    case StepKind::load:
      loaded_ = true;
      break;
    case StepKind::sleep:
      return fall_asleep(step);
    case StepKind::wake:
      return wake_up(step);
    case StepKind::reload:
    case StepKind::retry:
    case StepKind::prepare:
    case StepKind::loads:
    case StepKind::finish:
    case StepKind::abort:
      return update(step, series);
    case StepKind::repeat:  // whose steps were followed
    case StepKind::destroy:
      break;
    default:
      need_contents(step);
  }
}

void SleepBinder::fall_asleep(const Step& step) {
  if (world_ == WorldKind::meta) diagnostics_.error(step.at, "sleep in the world meta, which has no memory, expected cpu, sim or cuda");
  if (!loaded_) diagnostics_.error(step.at, "sleep before the first load, expected load before it: what sleeps is what that has filled");
  if (asleep_) diagnostics_.error(step.at, "sleep while asleep, expected wake before it");
  if (open_ && is_meant(step)) diagnostics_.error(step.at, "sleep within an update, expected finish or abort before it, or outcome: error");
  if (step.outcome == Step::Outcome::error && !open_)
    diagnostics_.error(step.at, "sleep with outcome: error, expected it within an update: nothing else refuses to sleep");
  if (step.outcome == Step::Outcome::error) return;
  asleep_ = true;
  losing_ = step.level == 2;
}

void SleepBinder::wake_up(const Step& step) {
  if (!asleep_) diagnostics_.error(step.at, "wake while awake, expected sleep before it");
  if (step.outcome == Step::Outcome::error)
    diagnostics_.error(step.at, "wake with outcome: error, expected outcome: ok: nothing refuses to wake");
  asleep_ = false;
  lost_ = lost_ || losing_;
}

void SleepBinder::update(const Step& step, bool series) {
  if (asleep_) {
    if (is_meant(step))
      diagnostics_.error(step.at,
                         fmt::format("{} while asleep, expected wake before it, or outcome: error", spell(step_spellings, step.kind)));
    return;
  }
  if (step.kind == StepKind::prepare && is_meant(step)) open_ = true;
  if (step.kind == StepKind::finish || step.kind == StepKind::abort) open_ = false;
  const bool commits = step.kind == StepKind::reload || step.kind == StepKind::retry || step.kind == StepKind::finish;
  if (!lost_ || !commits || !is_meant(step)) return;
  const bool part = !series && step.kind == StepKind::reload && (!step.plan.only.empty() || !step.plan.omit.empty());
  if (part) diagnostics_.error(step.at, "a reload in part behind a sleep of level 2, expected a whole checkpoint: the rest was lost");
  lost_ = part || step.fault || step.abort_after;
}

void SleepBinder::need_contents(const Step& step) {
  const std::string_view word = spell(step_spellings, step.kind);
  if (asleep_) diagnostics_.error(step.at, fmt::format("{} while asleep, expected wake before it", word));
  // A reset sends the first layers again.
  constexpr std::array reading{StepKind::forward, StepKind::pass, StepKind::capture, StepKind::replay, StepKind::reset};
  if (lost_ && std::ranges::find(reading, step.kind) != reading.end())
    diagnostics_.error(step.at, fmt::format("{} behind a sleep of level 2, expected a reload of a whole checkpoint before it", word));
}

}  // namespace reloadlab::sim
