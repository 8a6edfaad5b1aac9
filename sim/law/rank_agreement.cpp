#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/law/laws.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

std::string outcome_text(const StepOutcome& outcome) { return outcome.status.ok() ? "is ok" : outcome.status.message(); }

bool is_refused_by_others(const Evidence& evidence, const Execution& execution, int step, size_t rank) {
  bool refused = false;
  for (size_t other = 0; other < execution.ranks.size(); ++other) {
    const StepOutcome* outcome = outcome_of(execution.ranks[other], step);
    if (!outcome || outcome->status.ok()) continue;
    if (share(evidence, rank, other)) return false;
    refused = true;
  }
  return refused;
}

// Whether all series of the rank took the reload, which then is refused by others'.
bool has_taken_all(const Evidence& evidence, const Execution& execution, int step, size_t rank) {
  if (!reloads_by_series(execution.steps[static_cast<size_t>(step)])) return false;
  const auto& outcomes = execution.ranks;
  const bool refused = std::ranges::any_of(outcomes, [&](const RankRun& run) {
    const StepOutcome* outcome = outcome_of(run, step);
    return outcome && !outcome->status.ok();
  });
  return refused && std::ranges::all_of(evidence.the_case.series,
                                        [&](const SeriesSpec& series) { return has_reloaded(execution.ranks[rank], series, step); });
}

// The step as the scenario means it: `error` on each rank that ends it, or `ok` on each. Where others refuse with whom it shares
// nothing, or in a series that it is not in, there may be nothing to refuse.
std::optional<Finding> judge_outcome(const Evidence& evidence, const Execution& execution, size_t rank, const StepOutcome& outcome,
                                     Tally& tally) {
  const int step = outcome.step;
  const Step::Outcome meant = step < 0 ? Step::Outcome::ok : execution.steps[static_cast<size_t>(step)].outcome;
  if (meant == Step::Outcome::unspecified) return std::nullopt;
  tally.check();
  if (outcome.status.ok() == (meant == Step::Outcome::ok)) return std::nullopt;
  if (outcome.status.ok() && step >= 0 && has_taken_all(evidence, execution, step, rank)) return std::nullopt;
  if (outcome.status.ok() && is_refused_by_others(evidence, execution, step, rank)) return std::nullopt;
  return Finding{.step = step,
                 .what = outcome.status.ok() ? "ends well, expected a refusal" : "fails: " + outcome.status.message(),
                 .why = outcome.crashed ? "an exception came out of it" : ""};
}

// Whether the step ends alike on two ranks that share. A reload that series take or refuse by themselves: in each that both are in.
bool ends_alike(const Evidence& evidence, const Execution& execution, int step, size_t rank, size_t other) {
  if (step < 0 || !reloads_by_series(execution.steps[static_cast<size_t>(step)]))
    return outcome_of(execution.ranks[rank], step)->status.ok() == outcome_of(execution.ranks[other], step)->status.ok();
  return std::ranges::all_of(evidence.the_case.series, [&](const SeriesSpec& series) {
    const bool both = series.has_rank(evidence.number(rank)) && series.has_rank(evidence.number(other));
    return !both || has_reloaded(execution.ranks[rank], series, step) == has_reloaded(execution.ranks[other], series, step);
  });
}

// Every rank that ends the step ends it as those do with whom it shares.
std::optional<Finding> judge_alike(const Evidence& evidence, const Execution& execution, size_t rank, const StepOutcome& outcome,
                                   Tally& tally) {
  for (size_t other = 0; other < rank; ++other) {
    const StepOutcome* its = share(evidence, rank, other) ? outcome_of(execution.ranks[other], outcome.step) : nullptr;
    if (!its) continue;
    tally.check();
    const bool apart = outcome.step >= 0 && reloads_by_series(execution.steps[static_cast<size_t>(outcome.step)]);
    if (ends_alike(evidence, execution, outcome.step, rank, other)) {
      if (apart) continue;
      return std::nullopt;
    }
    return Finding{.step = outcome.step,
                   .what = fmt::format("{}; on rank {}: {}", outcome_text(outcome), evidence.number(other), outcome_text(*its))};
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_rank_agreement(const Evidence& evidence) {
  return judge_ranks(evidence, "rank_agreement", "no step was done", [&](const Execution& execution, size_t rank, Tally& tally) {
    std::optional<Finding> finding;
    for (const StepOutcome& outcome : execution.ranks[rank].outcomes) {
      finding = judge_outcome(evidence, execution, rank, outcome, tally);
      if (!finding) finding = judge_alike(evidence, execution, rank, outcome, tally);
      if (finding) return finding;
    }
    if (!execution.stopped.empty())
      finding =
          Finding{.step = execution.stopped_in, .what = execution.stopped, .why = fmt::format("{}", fmt::join(execution.waits, "; "))};
    return finding;
  });
}

}  // namespace reloadlab::sim
