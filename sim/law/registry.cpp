#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {

std::span<const LawInfo> laws() {
  using Kind = Variation::Kind;
  static const std::array<LawInfo, 24> registry{{
      {"cold_load_equal",
       Domain::both,
       "After a reload to B every tensor that a forward can see equals a cold load of B, byte for byte.",
       {Kind::cold, Kind::poison, Kind::repeat},
       judge_cold_load_equal},
      {"derived_fresh",
       Domain::reload,
       "What a post-load step derives equals its recomputation from its sources, and is derived after the last of them has come.",
       {},
       judge_derived_fresh},
      {"return_exact",
       Domain::reload,
       "Going from A to B and back gives A again, and B differs from A in every tensor that was sent.",
       {Kind::cold},
       judge_return_exact},
      {"order_free", Domain::reload, "Any order and any chunking of the same loads gives the same bytes.", {Kind::order}, judge_order_free},
      {"written_once",
       Domain::reload,
       "Every element comes from exactly the source element that belongs there, and a layer completes on the load that brings its last "
       "one.",
       {Kind::cold, Kind::digit},
       judge_written_once},
      {"address_stable",
       Domain::both,
       "Storages, layouts, classes and what shares what are the same after an update as before it.",
       {},
       judge_address_stable},
      {"no_residue",
       Domain::both,
       "After an update nothing is armed, wrapped or on meta, names, kinds, persistence, attributes and flags are as before, and "
       "what was delivered was only read.",
       {},
       judge_no_residue},
      {"memory_bound",
       Domain::reload,
       "Extra memory never passes the formula of the arrival order, or the scenario's limit, and none is kept.",
       {},
       judge_memory_bound},
      {"work_bound",
       Domain::reload,
       "What a load call does is bounded by what its loader does, and grows neither with the layers of the model nor with the loads "
       "before.",
       {Kind::cold},
       judge_work_bound},
      {"event_order",
       Domain::reload,
       "Each layer is prepared, loaded, processed once and copied back, in that order, and what is derived comes after all it depends on.",
       {},
       judge_event_order},
      {"coverage_reported",
       Domain::both,
       "Missing, excess and unknown loads are reported or refused as the candidate declares, and nothing else is.",
       {},
       judge_coverage_reported},
      {"failure_atomic",
       Domain::reload,
       "A step that fails leaves the old weights or a model reported as unusable, a retry equals a first try, and steps end as they "
       "should.",
       {Kind::cold, Kind::fault},
       judge_failure_atomic},
      {"no_leak",
       Domain::both,
       "Layers, parameters, allocations and bytes stay level over many reloads, and are gone with the model.",
       {Kind::repeat},
       judge_no_leak},
      {"ranks_alike",
       Domain::reload,
       "Ranks that hold the same shapes and are brought the same shares go through an update alike, in all but content.",
       {},
       judge_ranks_alike},
      {"graph_replay",
       Domain::graphs,
       "A graph that was captured before reads, whenever it is replayed, what a cold load holds.",
       {Kind::cold},
       judge_graph_replay},
      {"ring_content",
       Domain::series,
       "Every read of a layer of a series returns that layer, at the version that all ranks have committed.",
       {Kind::cold},
       judge_ring_content},
      {"ring_tenancy",
       Domain::series,
       "A window belongs to a layer from before its broadcast until its last reader.",
       {},
       judge_ring_tenancy},
      {"ring_happens_before",
       Domain::order,
       "Of any two accesses to the same bytes, one of them a write, streams, events and works order one before the other.",
       {},
       judge_ring_happens_before},
      {"ring_sequence",
       Domain::series,
       "All ranks of a communicator issue the same operations in the same order.",
       {},
       judge_ring_sequence},
      {"ring_lookahead",
       Domain::series,
       "Reaching a layer starts the broadcast of the layer that is used so many steps later as the look-ahead says, and a pass broadcasts "
       "each layer once.",
       {},
       judge_ring_lookahead},
      {"ring_overwait",
       Domain::series,
       "Nobody waits for more than it needs: a pass takes what the recurrence of its broadcasts says.",
       {},
       judge_ring_overwait},
      {"ring_memory",
       Domain::series,
       "Beside everything else a rank holds the layers that it owns, and one window more than the look-ahead.",
       {Kind::cold},
       judge_ring_memory},
      {"ring_address",
       Domain::series,
       "A layer is read where it was read before, with the period that its binding promises.",
       {},
       judge_ring_address},
      {"rank_agreement",
       Domain::series,
       "Steps end as they should and alike on all ranks, and nobody waits for ever.",
       {},
       judge_rank_agreement},
  }};
  return registry;
}

const LawInfo* find_law(std::string_view id) {
  const auto found = std::ranges::find(laws(), id, &LawInfo::id);
  return found == laws().end() ? nullptr : &*found;
}

namespace {

bool replays(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) { return step.kind == StepKind::replay || replays(step.body); });
}

}  // namespace

bool is_judged(const LawInfo& law, const Case& the_case) {
  const std::vector<std::string>& named = the_case.laws;
  const Domain own = the_case.series.empty() ? Domain::reload : Domain::series;
  if (named.empty() && law.domain == Domain::graphs) return own == Domain::series || replays(the_case.steps);
  if (named.empty() && law.domain == Domain::order) return the_case.order_counts();
  if (named.empty()) return law.domain == own || law.domain == Domain::both;
  return std::ranges::find(named, law.id) != named.end();
}

namespace {

// A fault of the scenario that found no chance of its kind in a step that went through: the scenario did not happen as written.
std::string fault_that_never_struck(const Evidence& evidence) {
  const Execution* warm = warm_of(evidence);
  for (size_t step = 0; warm && step < warm->steps.size(); ++step) {
    const std::optional<Fault>& fault = warm->steps[step].fault;
    for (size_t rank = 0; fault && rank < warm->ranks.size(); ++rank) {
      const RankRun& run = warm->ranks[rank];
      const StepOutcome* outcome = outcome_of(run, static_cast<int>(step));
      const auto strikes = [&](const Event& event) { return event.kind == EventKind::fault && event.step == static_cast<int>(step); };
      if (outcome && outcome->status.ok() && std::ranges::none_of(run.events, strikes))
        return fmt::format("the fault of step {} (line {}) never struck: rank {} had no chance {} of its kind (counted from 0)", step,
                           warm->steps[step].at.line, evidence.number(rank), fault->nth);
    }
  }
  return {};
}

}  // namespace

std::vector<Verdict> judge(const Evidence& evidence) {
  const std::string moot = fault_that_never_struck(evidence);
  const auto judged = [&](const LawInfo& law) { return moot.empty() ? law.judge(evidence) : Tally(law.id).done(moot); };
  std::vector<Verdict> verdicts;
  for (const LawInfo& law : laws())
    if (is_judged(law, evidence.the_case)) verdicts.push_back(judged(law));
  return verdicts;
}

}  // namespace reloadlab::sim
