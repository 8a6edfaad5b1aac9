#include "sim/replay/limits.h"

#include <algorithm>

#include "sim/law/reading.h"

namespace reloadlab::sim {

bool is_refused_for_memory(const Case& the_case, const Step& step) {
  if (!the_case.limits.extra_bytes || step.kind != StepKind::reload || step.outcome != Step::Outcome::error) return false;
  return !step.fault && !step.abort_after && step.plan.wrong.empty();
}

bool fits(const Case& the_case, const std::vector<RankPlan>& plans, int step) {
  return std::ranges::all_of(plans, [&](const RankPlan& plan) {
    return std::ranges::all_of(
        plan.peaks, [&](const RankPlan::Peak& peak) { return peak.step != step || peak.extra_bytes <= *the_case.limits.extra_bytes; });
  });
}

bool went_through_landing(const Evidence& evidence, int step) {
  if (evidence.executions.empty() || !lands(evidence)) return false;
  return std::ranges::all_of(evidence.executions.front().ranks, [&](const RankRun& run) {
    const StepOutcome* outcome = outcome_of(run, step);
    return outcome && outcome->status.ok();
  });
}

}  // namespace reloadlab::sim
