// The steps of a scenario in the order in which they are done.
#include "reference/base/check.h"
#include "sim/replay/plan.h"

namespace reloadlab::sim {
namespace {

void unroll_into(const std::vector<Step>& steps, std::vector<Step>& out) {
  for (const Step& step : steps) {
    if (step.kind != StepKind::repeat) {
      out.push_back(step);
      continue;
    }
    for (int64_t i = 0; i < step.times; ++i) unroll_into(step.body, out);
  }
}

}  // namespace

std::vector<Step> unroll(const std::vector<Step>& steps) {
  std::vector<Step> flat;
  unroll_into(steps, flat);
  const Step* update = nullptr;
  for (Step& step : flat) {
    if (step.kind == StepKind::reload || step.kind == StepKind::loads) update = &step;
    if (step.kind != StepKind::retry) continue;
    RELOADLAB_CHECK(update, "retry needs an update before it");
    step.plan = update->plan;
  }
  return flat;
}

}  // namespace reloadlab::sim
