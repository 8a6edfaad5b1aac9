#include <fmt/format.h>

#include <algorithm>

#include "sim/law/compare.h"
#include "sim/law/explain.h"
#include "sim/law/laws.h"
#include "sim/law/origin.h"

namespace reloadlab::sim {
namespace {

bool same_content(const CensusEntry& one, const CensusEntry& two) {
  return one.content && two.content && one.content->fingerprint == two.content->fingerprint && one.content->bytes == two.content->bytes;
}

class ReturnExact {
 public:
  ReturnExact(const Evidence& evidence, Tally& tally) : evidence_(evidence), warm_(*warm_of(evidence)), tally_(tally) {}

  std::optional<Finding> rank(size_t rank) {
    std::vector<RestingState> states = resting_states(evidence_, rank);
    std::erase_if(states, [](const RestingState& state) { return state.planned.partial; });
    for (size_t now = 1; now < states.size(); ++now) {
      if (auto finding = changed(rank, states[now - 1], states[now])) return finding;
      if (auto finding = same_output(rank, states, now)) return finding;
      for (size_t before = now; before-- > 0;) {
        if (states[before].planned.checkpoint != states[now].planned.checkpoint) continue;
        if (auto finding = returned(rank, states[before], states[now])) return finding;
        break;
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<Finding> returned(size_t rank, const RestingState& before, const RestingState& now) {
    for (size_t i = 0; i < before.census->entries.size(); ++i) {
      const CensusEntry& want = before.census->entries[i];
      const CensusEntry* got = counterpart(*now.census, i, want.path);
      Expected expected{.entry = &want, .bytes = want.content ? &want.content->bytes : nullptr};
      expected.origin = [&](int64_t flat) {
        return fmt::format(" as after step {}, which also holds {}{}", before.planned.step, before.planned.checkpoint,
                           origin_text(evidence_, rank, want, now.planned.checkpoint, flat));
      };
      tally_.check();
      if (auto difference = compare(got, expected)) return finding(rank, now, want, difference->what, difference->first);
    }
    return std::nullopt;
  }

  // The model computes what it computed when it last held this checkpoint.
  std::optional<Finding> same_output(size_t rank, const std::vector<RestingState>& states, size_t now) {
    const Blob* output = output_of(warm_.ranks[rank], states[now].planned.step);
    if (!ranks_hold_one(evidence_, states[now].planned.step)) return std::nullopt;
    for (size_t before = now; output && before-- > 0;) {
      const RankPlan::State& state = states[before].planned;
      const Blob* earlier = output_of(warm_.ranks[rank], state.step);
      if (!earlier || state.checkpoint != states[now].planned.checkpoint || !ranks_hold_one(evidence_, state.step)) continue;
      tally_.check();
      if (earlier->bytes == output->bytes) return std::nullopt;
      return Finding{
          .execution = warm_.variation.label(),
          .rank = static_cast<int>(rank),
          .step = states[now].planned.step,
          .what = fmt::format("the forward gives another output than at step {}, which also holds {}", state.step, state.checkpoint)};
    }
    return std::nullopt;
  }

  // What was sent must have changed wherever the two checkpoints, loaded cold, differ.
  std::optional<Finding> changed(size_t rank, const RestingState& before, const RestingState& now) {
    const Census* cold_before = cold_census(evidence_, before.planned.checkpoint, rank);
    const Census* cold_now = cold_census(evidence_, now.planned.checkpoint, rank);
    if (before.planned.checkpoint == now.planned.checkpoint || !cold_before || !cold_now) return std::nullopt;
    for (const model::Delivery& delivery : evidence_.deliveries) {
      const std::string path = delivery.layer + "." + delivery.slot;
      const CensusEntry *was = before.census->find(path), *is = now.census->find(path);
      const CensusEntry *cold_was = cold_before->find(path), *cold_is = cold_now->find(path);
      if (!was || !is || !cold_was || !cold_is || !cold_was->content || same_content(*cold_was, *cold_is)) continue;
      tally_.check();
      if (same_content(*was, *is))
        return finding(
            rank, now, *is,
            fmt::format("{}: not one byte changed from {} to {}", type_text(*is), before.planned.checkpoint, now.planned.checkpoint), "");
    }
    return std::nullopt;
  }

  Finding finding(size_t rank, const RestingState& state, const CensusEntry& entry, std::string what, std::string first) const {
    return {.execution = warm_.variation.label(),
            .rank = static_cast<int>(rank),
            .step = state.planned.step,
            .tensor = entry.path,
            .what = std::move(what),
            .first = std::move(first),
            .why = explain(evidence_, warm_, rank, state.planned.step, entry.layer)};
  }

  const Evidence& evidence_;
  const Execution& warm_;
  Tally& tally_;
};

}  // namespace

Verdict judge_return_exact(const Evidence& evidence) {
  Tally tally("return_exact");
  if (!has_bytes(evidence)) return tally.unsupported("this world has no bytes to compare");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  bool speaks = false;
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank)
    speaks = speaks || std::ranges::count_if(evidence.plan[rank].states, [](const auto& state) { return !state.partial; }) > 1;
  if (!speaks) return tally.unsupported("the scenario holds a whole checkpoint only once");
  ReturnExact judge(evidence, tally);
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank)
    if (auto finding = judge.rank(rank)) return tally.fail(*std::move(finding));
  return left_unusable(evidence) ? tally.unusable() : tally.done("no two steps leave the model at rest with checkpoints to compare");
}

}  // namespace reloadlab::sim
