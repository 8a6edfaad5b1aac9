#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/law/laws.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

std::string outcome_text(const StepOutcome& outcome) { return outcome.status.ok() ? "is ok" : outcome.status.message(); }

// Ranks of the same series have the same to refuse: a series is refused where it is, and not where others are.
bool have_one_role(const Evidence& evidence, size_t rank, size_t other) {
  return std::ranges::all_of(evidence.the_case.series, [&](const SeriesSpec& series) {
    return series.has_rank(evidence.number(rank)) == series.has_rank(evidence.number(other));
  });
}

bool is_refused_by_others(const Evidence& evidence, const Execution& execution, int step, size_t rank) {
  bool refused = false;
  for (size_t other = 0; other < execution.ranks.size(); ++other) {
    const StepOutcome* outcome = outcome_of(execution.ranks[other], step);
    if (!outcome || outcome->status.ok()) continue;
    if (have_one_role(evidence, rank, other)) return false;
    refused = true;
  }
  return refused;
}

// The step as the scenario means it: `error` on each rank that ends it, or `ok` on each. Where others refuse that are in other
// series, there may be nothing to refuse.
std::optional<Finding> judge_outcome(const Evidence& evidence, const Execution& execution, size_t rank, const StepOutcome& outcome,
                                     Tally& tally) {
  const int step = outcome.step;
  const Step::Outcome meant = step < 0 ? Step::Outcome::ok : execution.steps[static_cast<size_t>(step)].outcome;
  if (!outcome.touched_asleep.empty()) return Finding{.step = step, .what = "touched memory that sleeps: " + outcome.touched_asleep};
  if (meant == Step::Outcome::unspecified) return std::nullopt;
  tally.check();
  if (outcome.status.ok() == (meant == Step::Outcome::ok)) return std::nullopt;
  if (outcome.status.ok() && is_refused_by_others(evidence, execution, step, rank)) return std::nullopt;
  return Finding{.step = step,
                 .what = outcome.status.ok() ? "ends well, expected a refusal" : "fails: " + outcome.status.message(),
                 .why = outcome.crashed ? "an exception came out of it" : ""};
}

bool reloads_apart(const Execution& execution, int step) {
  return step >= 0 && reloads_by_series(execution.steps[static_cast<size_t>(step)]);
}

// Whether the step ends alike on two ranks, as far as they have the same to end: all of it where they are in the same series, and what
// each series that both are in takes or refuses by itself.
bool ends_alike(const Evidence& evidence, const Execution& execution, int step, size_t rank, size_t other) {
  const auto ok = [&](size_t each) { return outcome_of(execution.ranks[each], step)->status.ok(); };
  if (have_one_role(evidence, rank, other) && ok(rank) != ok(other)) return false;
  return !reloads_apart(execution, step) || std::ranges::all_of(evidence.the_case.series, [&](const SeriesSpec& series) {
    const bool both = series.has_rank(evidence.number(rank)) && series.has_rank(evidence.number(other));
    return !both || has_reloaded(execution.ranks[rank], series, step) == has_reloaded(execution.ranks[other], series, step);
  });
}

// Every rank that ends the step ends it as the others do, as far as they have the same to end.
std::optional<Finding> judge_alike(const Evidence& evidence, const Execution& execution, size_t rank, const StepOutcome& outcome,
                                   Tally& tally) {
  const bool apart = reloads_apart(execution, outcome.step);
  for (size_t other = 0; other < rank; ++other) {
    const bool judged = have_one_role(evidence, rank, other) || (apart && share(evidence, rank, other));
    const StepOutcome* its = judged ? outcome_of(execution.ranks[other], outcome.step) : nullptr;
    if (!its) continue;
    tally.check();
    if (!ends_alike(evidence, execution, outcome.step, rank, other))
      return Finding{.step = outcome.step,
                     .what = fmt::format("{}; on rank {}: {}", outcome_text(outcome), evidence.number(other), outcome_text(*its))};
    if (!apart) return std::nullopt;  // the others before it were held against that one
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
