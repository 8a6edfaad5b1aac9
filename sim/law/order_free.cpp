#include "sim/law/compare.h"
#include "sim/law/laws.h"
#include "sim/law/origin.h"

namespace reloadlab::sim {
namespace {

std::optional<Finding> judge_rank(const Evidence& evidence, const Execution& other, size_t rank, const RestingState& last, Tally& tally) {
  const int step = last.planned.step;
  Finding finding{.execution = other.variation.label(), .rank = static_cast<int>(rank), .step = step};
  const StepOutcome* outcome = outcome_of(other.ranks[rank], step);
  const Census* census = census_after(other.ranks[rank], step);
  if (!outcome || !census) return std::nullopt;
  const StepOutcome* usual = outcome_of(warm_of(evidence)->ranks[rank], step);
  tally.check();
  if (usual && usual->status.ok() && !outcome->status.ok()) {
    finding.what = "fails in this order only: " + outcome->status.message();
    return finding;
  }
  if (usual && !usual->status.ok() && !outcome->status.ok()) return std::nullopt;  // what failed updates leave is nobody's promise
  for (size_t i = 0; i < last.census->entries.size(); ++i) {
    const CensusEntry& want = last.census->entries[i];
    Expected expected{.entry = &want, .bytes = want.content ? &want.content->bytes : nullptr};
    expected.origin = [&](int64_t flat) {
      const std::string own = " as in the scenario's own order";
      return last.planned.partial ? own : own + origin_text(evidence, rank, want, last.planned.checkpoint, flat);
    };
    tally.check();
    const auto difference = compare(counterpart(*census, i, want.path), expected);
    if (!difference) continue;
    finding.tensor = want.path;
    finding.what = difference->what;
    finding.first = difference->first;
    return finding;
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_order_free(const Evidence& evidence) {
  Tally tally("order_free");
  if (!has_bytes(evidence)) return tally.unsupported("this world has no bytes to compare");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  bool any = false;
  for (const Execution& other : evidence.executions) {
    if (other.variation.kind != Variation::Kind::order) continue;
    any = true;
    for (size_t rank = 0; rank < other.ranks.size(); ++rank) {
      const std::vector<RestingState> states = resting_states(evidence, rank);
      if (states.empty()) continue;
      if (auto finding = judge_rank(evidence, other, rank, states.back(), tally)) return tally.fail(*std::move(finding));
    }
  }
  if (!any) return tally.unsupported("the scenario's loads have no other order");
  return tally.done("no step leaves the model at rest in both orders");
}

}  // namespace reloadlab::sim
