#include <fmt/format.h>

#include <algorithm>

#include "sim/law/compare.h"
#include "sim/law/explain.h"
#include "sim/law/laws.h"
#include "sim/law/origin.h"

namespace reloadlab::sim {
namespace {

struct Broken {
  std::string tensor, what, first;
};

// Bytes and places of `now` against those of `before`.
std::optional<Broken> changed(const Census& now, const Census& before,
                              const std::function<std::string(const CensusEntry&, int64_t)>& origin, Tally& tally) {
  for (size_t i = 0; i < before.entries.size(); ++i) {
    const CensusEntry& was = before.entries[i];
    const CensusEntry* is = counterpart(now, i, was.path);
    Expected expected{.entry = &was, .bytes = was.content ? &was.content->bytes : nullptr};
    expected.origin = [&](int64_t flat) { return origin(was, flat); };
    tally.check();
    if (auto difference = compare(is, expected)) return Broken{was.path, difference->what, difference->first};
    if (!is || was.kind == CensusEntry::Kind::extra_host) continue;
    if (auto place = compare_place(*is, was)) return Broken{was.path, *place, ""};
  }
  return std::nullopt;
}

class FailureAtomic {
 public:
  FailureAtomic(const Evidence& evidence, const Execution& execution, size_t rank, Tally& tally)
      : evidence_(evidence), execution_(execution), run_(execution.ranks[rank]), rank_(rank), tally_(tally) {}

  // Every step of the scenario must end as the scenario says.
  std::optional<Finding> outcome(int step) {
    const Step& planned = execution_.steps[static_cast<size_t>(step)];
    const StepOutcome* outcome = outcome_of(run_, step);
    const Step::Outcome meant = meant_outcome(evidence_, rank_, step);
    tally_.check();
    if (!outcome) return finding(step, {"", "was never run", ""});
    if (outcome->crashed) return finding(step, {"", "an exception crossed the boundary: " + outcome->status.message(), ""});
    if (!outcome->touched_asleep.empty()) return finding(step, {"", "touched memory that sleeps: " + outcome->touched_asleep, ""});
    if (planned.kind == StepKind::forward && (outcome->unusable || !has_bytes(evidence_))) return std::nullopt;
    if (meant == Step::Outcome::ok && !outcome->status.ok())
      return finding(step, {"", fmt::format("failed, should have gone through: {}", outcome->status.message()), ""});
    if (meant == Step::Outcome::error && outcome->status.ok()) return finding(step, {"", "went through, should have been refused", ""});
    const bool commits = planned.kind == StepKind::reload || planned.kind == StepKind::retry || planned.kind == StepKind::finish;
    if (meant == Step::Outcome::unspecified) return std::nullopt;
    if (commits && !planned.abort_after && outcome->status.ok() && outcome->unusable && !stays_unusable(step))
      return finding(step, {"", "went through, and yet the candidate calls the model unusable", ""});
    return std::nullopt;
  }

  // The record comes before the first step.
  std::optional<Finding> recorded() {
    const StepOutcome* outcome = outcome_of(run_, -1);
    if (!outcome) return std::nullopt;
    tally_.check();
    if (outcome->status.ok()) return std::nullopt;
    return finding(-1, {"", "the record failed: " + outcome->status.message(), ""});
  }

  // Only a whole update can repair a model that was unusable before.
  bool stays_unusable(int step) const {
    const StepOutcome* before = outcome_of(run_, update_of(execution_, step).first - 1);
    const auto& states = evidence_.plan[rank_].states;
    const auto state = std::ranges::find(states, step, &RankPlan::State::step);
    return before && before->unusable && state != states.end() && state->incomplete;
  }

  // A step that failed or gave up, with no update left open: the old model, or one that is called unusable.
  std::optional<Finding> rolled_back(int step) {
    const StepOutcome* outcome = outcome_of(run_, step);
    const Census* before = census_after(run_, update_of(execution_, step).first - 1);
    const Census* now = census_after(run_, step);
    if (!outcome || !before || !now) return std::nullopt;
    tally_.check();
    if (outcome->unusable) return std::nullopt;
    const int first = update_of(execution_, step).first;
    const auto origin = [&](const CensusEntry& entry, int64_t flat) { return before_text(evidence_, rank_, entry, first, flat); };
    if (auto broken = changed(*now, *before, origin, tally_)) return finding(step, *broken);
    return std::nullopt;
  }

  // The fault at `step` struck; the retry at the step after it must give what the step should have given.
  std::optional<Finding> retried(int step) {
    const int retry = step + 1;
    const StepOutcome* outcome = outcome_of(run_, retry);
    const Census* now = census_after(run_, retry);
    const auto& states = evidence_.plan[rank_].states;
    const auto state = std::ranges::find(states, step, &RankPlan::State::step);
    if (!outcome || !now || state == states.end()) return std::nullopt;
    tally_.check();
    if (state->incomplete && outcome->unusable) return std::nullopt;  // only a whole update can repair it, and that is what it says
    if (!outcome->status.ok()) return finding(retry, {"", "the retry failed: " + outcome->status.message(), ""});
    if (outcome->unusable) return finding(retry, {"", "the retry went through, and yet the candidate calls the model unusable", ""});
    return like_first_try(*now, *state, retry);
  }

 private:
  const Census* first_try(const RankPlan::State& state) const {
    if (state.partial) return census_after(warm_of(evidence_)->ranks[rank_], state.step);
    return cold_census(evidence_, state.checkpoint, rank_);
  }

  std::optional<Finding> like_first_try(const Census& now, const RankPlan::State& state, int retry) {
    const Census* want = first_try(state);
    for (size_t i = 0; want && i < want->entries.size(); ++i) {
      const CensusEntry& entry = want->entries[i];
      Expected expected{.entry = &entry, .bytes = entry.content ? &entry.content->bytes : nullptr};
      expected.origin = [&](int64_t flat) {
        const std::string own = " as without the fault";
        return state.partial ? own : own + origin_text(evidence_, rank_, entry, state.checkpoint, flat);
      };
      tally_.check();
      if (auto difference = compare(counterpart(now, i, entry.path), expected))
        return finding(retry, {entry.path, difference->what, difference->first});
    }
    return std::nullopt;
  }

  Finding finding(int step, Broken broken) const {
    const CensusEntry* entry = nullptr;
    if (const Census* census = census_after(run_, step)) entry = census->find(broken.tensor);
    return {.execution = execution_.variation.label(),
            .rank = static_cast<int>(rank_),
            .step = step,
            .tensor = std::move(broken.tensor),
            .what = std::move(broken.what),
            .first = std::move(broken.first),
            .why = entry ? explain(evidence_, execution_, rank_, step, entry->layer) : std::string()};
  }

  const Evidence& evidence_;
  const Execution& execution_;
  const RankRun& run_;
  size_t rank_;
  Tally& tally_;
};

// Steps of the scenario after which the old model must be there: it was told to give up, or what it was told was refused, and no
// update is open.
bool must_roll_back(const Evidence& evidence, size_t rank, int step) {
  const Execution& warm = *warm_of(evidence);
  const Step& planned = warm.steps[static_cast<size_t>(step)];
  const StepOutcome* outcome = outcome_of(warm.ranks[rank], step);
  if (!outcome || planned.kind == StepKind::forward || planned.kind == StepKind::destroy || planned.kind == StepKind::load) return false;
  const bool gave_up = planned.kind == StepKind::abort || planned.abort_after;
  const bool refused = meant_outcome(evidence, rank, step) != Step::Outcome::ok && !outcome->status.ok();
  if (!gave_up && !refused) return false;
  const std::vector<RestingState> states = resting_states(evidence, rank);
  return outcome->unusable || std::ranges::any_of(states, [&](const RestingState& state) { return state.planned.step == step; });
}

bool struck(const RankRun& run, int step) {
  return std::ranges::any_of(run.events, [&](const Event& event) { return event.kind == EventKind::fault && event.step == step; });
}

std::optional<Finding> judge_warm(const Evidence& evidence, Tally& tally) {
  const Execution& warm = *warm_of(evidence);
  for (size_t rank = 0; rank < warm.ranks.size(); ++rank) {
    FailureAtomic judge(evidence, warm, rank, tally);
    if (auto finding = judge.recorded()) return finding;
    for (size_t step = 0; step < warm.steps.size(); ++step) {
      const int number = static_cast<int>(step);
      if (auto finding = judge.outcome(number)) return finding;
      if (!must_roll_back(evidence, rank, number)) continue;
      if (auto finding = judge.rolled_back(number)) return finding;
    }
  }
  return std::nullopt;
}

std::optional<Finding> judge_fault(const Evidence& evidence, const Execution& execution, Tally& tally) {
  const auto faulted = std::ranges::find_if(execution.steps, [](const Step& step) { return step.fault.has_value(); });
  const int step = static_cast<int>(faulted - execution.steps.begin());
  for (size_t rank = 0; rank < execution.ranks.size() && faulted != execution.steps.end(); ++rank) {
    const StepOutcome* outcome = outcome_of(execution.ranks[rank], step);
    if (!struck(execution.ranks[rank], step) || !outcome) continue;
    FailureAtomic judge(evidence, execution, rank, tally);
    if (!outcome->status.ok())
      if (auto finding = judge.rolled_back(step)) return finding;
    if (auto finding = judge.retried(step)) return finding;
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_failure_atomic(const Evidence& evidence) {
  Tally tally("failure_atomic");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  if (auto finding = judge_warm(evidence, tally)) return tally.fail(*std::move(finding));
  for (const Execution& execution : evidence.executions) {
    if (execution.variation.kind != Variation::Kind::fault) continue;
    if (auto finding = judge_fault(evidence, execution, tally)) return tally.fail(*std::move(finding));
  }
  return tally.done("the scenario has no steps");
}

}  // namespace reloadlab::sim
