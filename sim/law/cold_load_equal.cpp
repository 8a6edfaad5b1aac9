#include <fmt/format.h>

#include <algorithm>

#include "sim/law/compare.h"
#include "sim/law/explain.h"
#include "sim/law/laws.h"
#include "sim/law/origin.h"
#include "sim/law/overlay.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

class ColdLoadEqual {
 public:
  ColdLoadEqual(const Evidence& evidence, Tally& tally) : evidence_(evidence), warm_(*warm_of(evidence)), tally_(tally) {}

  std::optional<Finding> warm() {
    for (size_t rank = 0; rank < warm_.ranks.size(); ++rank) {
      const std::vector<RestingState> states = resting_states(evidence_, rank);
      for (size_t i = 0; i < states.size(); ++i)
        if (auto finding = states[i].planned.partial ? partial(rank, states, i) : resting(rank, states[i])) return finding;
    }
    return std::nullopt;
  }

  // The whole updates that follow the scenario's own steps: the fifth is to be as exact as the first.
  std::optional<Finding> repeated(const Execution& repeat) {
    for (size_t rank = 0; rank < repeat.ranks.size(); ++rank)
      for (size_t step = warm_.steps.size(); step < repeat.steps.size(); ++step) {
        const StepOutcome* outcome = outcome_of(repeat.ranks[rank], static_cast<int>(step));
        const Census* census = census_after(repeat.ranks[rank], static_cast<int>(step));
        if (repeat.steps[step].kind != StepKind::reload || !census || !outcome || !outcome->status.ok() || outcome->unusable) continue;
        if (auto finding = whole(repeat, rank, *census, repeat.steps[step].plan.checkpoint)) return finding;
      }
    return std::nullopt;
  }

  // The same steps with fresh memory poisoned differently: a byte that differs was never written.
  std::optional<Finding> poison() {
    const Execution* other = evidence_.find(Variation::Kind::poison, {}, 1);
    for (size_t rank = 0; other && rank < warm_.ranks.size(); ++rank)
      for (const RestingState& state : resting_states(evidence_, rank)) {
        const Census* second = census_after(other->ranks[rank], state.planned.step);
        if (!second) continue;
        if (auto finding = poisoned_output(*other, rank, state.planned.step)) return finding;
        for (size_t i = 0; i < state.census->entries.size(); ++i) {
          const CensusEntry& entry = state.census->entries[i];
          const CensusEntry* twin = counterpart(*second, i, entry.path);
          if (!twin) continue;
          tally_.check();
          if (auto difference = compare_poison(entry, *twin)) return finding(*other, rank, state.planned.step, entry, *difference);
        }
      }
    return std::nullopt;
  }

 private:
  std::optional<Finding> poisoned_output(const Execution& other, size_t rank, int step) {
    const Blob *one = output_of(warm_.ranks[rank], step), *two = output_of(other.ranks[rank], step);
    if (!one || !two) return std::nullopt;
    tally_.check();
    if (one->bytes == two->bytes) return std::nullopt;
    return Finding{.execution = other.variation.label(),
                   .rank = static_cast<int>(rank),
                   .step = step,
                   .what = "the forward's output depends on what fresh memory held"};
  }

  std::optional<Finding> resting(size_t rank, const RestingState& state) {
    if (auto finding = whole(warm_, rank, *state.census, state.planned.checkpoint)) return finding;
    return output(rank, state);
  }

  std::optional<Finding> whole(const Execution& execution, size_t rank, const Census& census, const std::string& checkpoint) {
    const Census* cold = cold_census(evidence_, checkpoint, rank, 0);
    const Census* twin = cold_census(evidence_, checkpoint, rank, 1);
    if (!cold) return std::nullopt;
    for (size_t i = 0; i < cold->entries.size(); ++i) {
      const CensusEntry& want = cold->entries[i];
      Expected expected{.entry = &want, .bytes = want.content ? &want.content->bytes : nullptr};
      const CensusEntry* other = twin ? counterpart(*twin, i, want.path) : nullptr;
      if (other && other->content && want.content && other->content != want.content) expected.other = &other->content->bytes;
      expected.origin = origin(rank, want, checkpoint);
      tally_.check();
      if (auto difference = compare(counterpart(census, i, want.path), expected))
        return finding(execution, rank, census.step, want, *difference);
    }
    return std::nullopt;
  }

  // What is computed with the tensors, also with what no census reaches.
  std::optional<Finding> output(size_t rank, const RestingState& state) {
    const Blob *got = output_of(warm_.ranks[rank], state.planned.step), *want = cold_output(evidence_, state.planned.checkpoint, rank);
    if (!got || !want || !ranks_hold_one(evidence_, state.planned.step)) return std::nullopt;
    tally_.check();
    if (got->bytes == want->bytes) return std::nullopt;
    return Finding{
        .execution = warm_.variation.label(),
        .rank = static_cast<int>(rank),
        .step = state.planned.step,
        .what = fmt::format("the forward gives another output than a model that was loaded cold with {}", state.planned.checkpoint)};
  }

  std::optional<Finding> partial(size_t rank, const std::vector<RestingState>& states, size_t index) {
    if (index == 0) return std::nullopt;  // a first load that leaves tensors out has nothing below it
    const Overlay overlaid = overlay(evidence_, rank, states, index);
    const RankPlan::State& state = states[index].planned;
    const StepRange update = update_of(warm_, state.step);
    const std::vector<CensusEntry>& before = states[index - 1].census->entries;
    for (size_t i = 0; i < before.size(); ++i) {
      const auto bytes = overlaid.find(before[i].path);
      if (bytes == overlaid.end()) continue;
      Expected expected{.entry = &before[i], .bytes = &bytes->second};
      expected.origin = [&](int64_t flat) { return overlay_text(evidence_, rank, before[i], update, state.checkpoint, flat); };
      tally_.check();
      if (auto difference = compare(counterpart(*states[index].census, i, before[i].path), expected))
        return finding(warm_, rank, state.step, before[i], *difference);
    }
    return std::nullopt;
  }

  OriginText origin(size_t rank, const CensusEntry& entry, const std::string& checkpoint) const {
    return [this, rank, &entry, &checkpoint](int64_t flat) { return origin_text(evidence_, rank, entry, checkpoint, flat); };
  }

  Finding finding(const Execution& execution, size_t rank, int step, const CensusEntry& entry, const Difference& difference) const {
    return {.execution = execution.variation.label(),
            .rank = static_cast<int>(rank),
            .step = step,
            .tensor = entry.path,
            .what = difference.what,
            .first = difference.first,
            .why = explain(evidence_, execution, rank, step, entry.layer)};
  }

  const Evidence& evidence_;
  const Execution& warm_;
  Tally& tally_;
};

// What is in windows is judged where it is read (ring_content).
Verdict judge_with_series(const Evidence& evidence) {
  Verdict verdict = judge_ranks(evidence, "cold_load_equal", {}, [&](const Execution& execution, size_t rank, Tally& tally) {
    return judge_beside_windows(evidence, execution, rank, tally);
  });
  if (verdict.outcome != Outcome::inconclusive) return verdict;
  return Tally("cold_load_equal").unsupported("nothing stands beside the windows when all steps have ended well");
}

}  // namespace

Verdict judge_cold_load_equal(const Evidence& evidence) {
  Tally tally("cold_load_equal");
  if (!has_bytes(evidence)) return tally.unsupported("this world has no bytes to compare");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  if (!evidence.the_case.series.empty()) return judge_with_series(evidence);
  ColdLoadEqual judge(evidence, tally);
  if (auto finding = judge.warm()) return tally.fail(*std::move(finding));
  if (auto finding = judge.poison()) return tally.fail(*std::move(finding));
  for (const Execution& execution : evidence.executions)
    if (execution.variation.kind == Variation::Kind::repeat)
      if (auto finding = judge.repeated(execution)) return tally.fail(*std::move(finding));
  return tally.done("no step leaves the model at rest with a cold load to compare with");
}

}  // namespace reloadlab::sim
