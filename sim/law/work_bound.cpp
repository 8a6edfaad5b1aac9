#include <fmt/format.h>

#include <map>

#include "sim/evidence/values.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// Beside running the loader on what it counts with and on what it fills: taking note, and a copy.
constexpr int64_t allowance = 8;
constexpr int64_t loader_runs = 2;

using Costs = std::map<std::string, int64_t, std::less<>>;

// By delivery, the operators that its loader runs in a cold load: what the load is by itself.
Costs cold_costs(const Evidence& evidence, size_t rank) {
  Costs costs;
  for (const Execution& execution : evidence.executions) {
    if (execution.variation.kind != Variation::Kind::cold || rank >= execution.ranks.size()) continue;
    const StepOutcome* load = outcome_of(execution.ranks[rank], 0);
    for (const Event& event : execution.ranks[rank].events)
      if (load && event.kind == EventKind::load_begin && event.step == 0 && static_cast<size_t>(event.load) < load->load_operators.size())
        costs.try_emplace(event.text, load->load_operators[static_cast<size_t>(event.load)]);
  }
  return costs;
}

// The load call processed something, rightly or not: what that costs is the layer's. One that a fault broke off may have been about to.
bool processes(const RankRun& run, const PlannedLoad& load) {
  for (const Event& event : run.events)
    if (event.step == load.step && event.load == load.index &&
        (event.kind == EventKind::post_load_begin || event.kind == EventKind::write_kernel || event.kind == EventKind::fault))
      return true;
  return false;
}

std::optional<Finding> judge_work(const Evidence& evidence, size_t rank, Tally& tally) {
  const Costs costs = cold_costs(evidence, rank);
  const RankRun& run = warm_of(evidence)->ranks[rank];
  for (const PlannedLoad& load : evidence.plan[rank].loads) {
    const StepOutcome* outcome = outcome_of(run, load.step);
    const auto cost = costs.find(load.delivery);
    const auto index = static_cast<size_t>(load.index);
    if (!outcome || index >= outcome->load_operators.size() || cost == costs.end() || load.completes) continue;
    const int64_t ran = outcome->load_operators[index], bound = loader_runs * cost->second + allowance;
    tally.check();
    if (ran <= bound || processes(run, load)) continue;
    return Finding{.execution = "warm",
                   .rank = static_cast<int>(rank),
                   .step = load.step,
                   .tensor = load.layer + "." + load.slot,
                   .what = fmt::format("the load of {} ran {} operators, its loader alone runs {}: at most {} are its own", load.delivery,
                                       count_text(ran), count_text(cost->second), count_text(bound))};
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_work_bound(const Evidence& evidence) {
  Tally tally("work_bound");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  if (!has_bytes(evidence)) return tally.unsupported("this world has no cold load to compare with");
  for (size_t rank = 0; rank < warm->ranks.size(); ++rank)
    if (auto finding = judge_work(evidence, rank, tally)) return tally.fail(*std::move(finding));
  const Verdict verdict = tally.done({});
  return verdict.outcome == Outcome::pass ? verdict : tally.unsupported("no load call of this case can be compared with a cold load");
}

}  // namespace reloadlab::sim
