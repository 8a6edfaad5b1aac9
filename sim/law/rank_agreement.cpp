#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/law/laws.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

std::string outcome_text(const StepOutcome& outcome) { return outcome.status.ok() ? "is ok" : outcome.status.message(); }

// The step as the scenario means it: `error` on each rank that ends it, or `ok` on each.
std::optional<Finding> judge_outcome(const Execution& execution, int step, const StepOutcome& outcome, Tally& tally) {
  const Step::Outcome meant = step < 0 ? Step::Outcome::ok : execution.steps[static_cast<size_t>(step)].outcome;
  if (meant == Step::Outcome::unspecified) return std::nullopt;
  tally.check();
  if (outcome.status.ok() == (meant == Step::Outcome::ok)) return std::nullopt;
  return Finding{.step = step,
                 .what = outcome.status.ok() ? "ends well, expected a refusal" : "fails: " + outcome.status.message(),
                 .why = outcome.crashed ? "an exception came out of it" : ""};
}

// Every rank that ends the step ends it alike.
std::optional<Finding> judge_alike(const Evidence& evidence, const Execution& execution, int step, const StepOutcome& outcome,
                                   Tally& tally) {
  const StepOutcome* first = outcome_of(execution.ranks.front(), step);
  if (!first) return std::nullopt;
  tally.check();
  if (first->status.ok() == outcome.status.ok()) return std::nullopt;
  return Finding{.step = step,
                 .what = fmt::format("{}; on rank {} it {}", outcome_text(outcome), evidence.number(0), outcome_text(*first))};
}

}  // namespace

Verdict judge_rank_agreement(const Evidence& evidence) {
  return judge_ranks(evidence, "rank_agreement", "no step was done", [&](const Execution& execution, size_t rank, Tally& tally) {
    std::optional<Finding> finding;
    for (const StepOutcome& outcome : execution.ranks[rank].outcomes) {
      finding = judge_outcome(execution, outcome.step, outcome, tally);
      if (!finding) finding = judge_alike(evidence, execution, outcome.step, outcome, tally);
      if (finding) return finding;
    }
    if (!execution.stopped.empty())
      finding =
          Finding{.step = execution.stopped_in, .what = execution.stopped, .why = fmt::format("{}", fmt::join(execution.waits, "; "))};
    return finding;
  });
}

}  // namespace reloadlab::sim
