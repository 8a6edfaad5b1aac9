#include "sim/law/probes.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace reloadlab::sim {
namespace {

bool any_plan(const Evidence& evidence, auto fits) { return std::ranges::any_of(evidence.plan, fits); }

// In any execution: (execution, rank's position, its run).
bool any_run(const Evidence& evidence, auto fits) {
  for (const Execution& execution : evidence.executions)
    for (size_t rank = 0; rank < execution.ranks.size(); ++rank)
      if (fits(execution, rank, execution.ranks[rank])) return true;
  return false;
}

bool has_event(const Evidence& evidence, EventKind kind) {
  return any_run(evidence, [&](const Execution&, size_t, const RankRun& run) {
    return std::ranges::find(run.events, kind, &Event::kind) != run.events.end();
  });
}

bool excess_after_completion(const Evidence& evidence) {
  return any_plan(evidence, [](const RankPlan& plan) {
    std::set<std::pair<int, std::string>> complete;  // step, layer
    for (const PlannedLoad& load : plan.loads) {
      if (load.excess && complete.contains({load.step, load.layer})) return true;
      if (load.completes) complete.insert({load.step, load.layer});
    }
    return false;
  });
}

// Tied to another layer's tensor, and nothing of its own is ever delivered.
bool alias_without_loads(const Evidence& evidence) {
  std::set<std::string> loaded;
  for (const RankPlan& plan : evidence.plan)
    for (const PlannedLoad& load : plan.loads) loaded.insert(load.layer);
  return any_run(evidence, [&](const Execution&, size_t, const RankRun& run) {
    if (run.censuses.empty()) return false;
    const std::vector<CensusEntry>& entries = run.censuses.front().entries;
    return std::ranges::any_of(entries, [&](const CensusEntry& alias) {
      return alias.handle >= 0 && !loaded.contains(alias.layer) && std::ranges::any_of(entries, [&](const CensusEntry& other) {
               return other.handle == alias.handle && loaded.contains(other.layer);
             });
    });
  });
}

// A layer that the step has reached already is sent for again: for the pass to come, which begins with it under way.
bool wraps_around(const Evidence& evidence) {
  return any_run(evidence, [](const Execution&, size_t, const RankRun& run) {
    std::set<std::pair<int, int>> reached;  // step, layer
    for (const Event& event : run.events) {
      if (event.kind == EventKind::reach_begin) reached.insert({event.step, event.layer});
      if (event.kind == EventKind::collective && reached.contains({event.step, event.layer})) return true;
    }
    return false;
  });
}

// "broadcast root 1 of all": 1; -1 where it has none.
int root_of(std::string_view text) {
  constexpr std::string_view word = "root ";
  const size_t at = text.find(word);
  int root = -1;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + word.size(), text.data() + text.size(), root);
  return root;
}

bool owner_reads(const Evidence& evidence) {
  return any_run(evidence, [&](const Execution&, size_t rank, const RankRun& run) {
    std::set<int> own;  // layers
    for (const Event& event : run.events)
      if (event.kind == EventKind::collective && root_of(event.text) == evidence.number(rank)) own.insert(event.layer);
    return std::ranges::any_of(run.reads, [&](const RankRun::Read& read) { return own.contains(read.layer); });
  });
}

bool incomplete_update(const Evidence& evidence) {
  return any_plan(evidence, [](const RankPlan& plan) { return !plan.missing.empty(); });
}

bool unknown_name(const Evidence& evidence) {
  return any_plan(evidence, [](const RankPlan& plan) { return std::ranges::any_of(plan.loads, &std::string::empty, &PlannedLoad::layer); });
}

bool fault_strikes(const Evidence& evidence) { return has_event(evidence, EventKind::fault); }
bool update_abandoned(const Evidence& evidence) { return has_event(evidence, EventKind::abort_begin); }

bool two_streams_read(const Evidence& evidence) {
  return any_run(evidence, [](const Execution&, size_t, const RankRun& run) {
    return std::ranges::any_of(run.reads, [](const RankRun::Read& read) { return read.stream > 0; });
  });
}

// The step before `until` that is the last of its kind; -1: none.
int last_of(StepKind kind, const std::vector<Step>& steps, int until) {
  while (--until >= 0 && steps[static_cast<size_t>(until)].kind != kind) continue;
  return until;
}

bool graph_after_reload(const Evidence& evidence) {
  return any_run(evidence, [](const Execution& execution, size_t, const RankRun& run) {
    return std::ranges::any_of(run.graph_reads, [&](const RankRun::GraphRead& read) {
      const int captured = last_of(StepKind::capture, execution.steps, read.step);
      return captured >= 0 && last_of(StepKind::reload, execution.steps, read.step) > captured;
    });
  });
}

constexpr std::string_view reloads = "layerwise online_quant", rings = "shared_series";
constexpr Probe kProbes[] = {
    {"excess_after_completion", "A load comes to a layer that is complete.", excess_after_completion, reloads},
    {"alias_without_loads", "A layer has nothing of its own to load and is tied to one that has.", alias_without_loads, reloads},
    {"wrap_around", "A pass ends with the first layers of the next one under way.", wraps_around, rings},
    {"owner_reads", "The rank that owns a layer reads it.", owner_reads, rings},
    {"incomplete_update", "An update leaves something out.", incomplete_update, reloads},
    {"unknown_name", "Something comes that no layer knows.", unknown_name, reloads},
    {"fault_strikes", "Something fails in the middle of an update.", fault_strikes, reloads},
    {"update_abandoned", "An update is abandoned.", update_abandoned, "layerwise online_quant shared_series"},
    {"two_streams_read", "Two streams of a rank read windows.", two_streams_read, rings},
    {"graph_after_reload", "A graph that was captured before a reload is replayed after it.", graph_after_reload, ""}};

}  // namespace

std::span<const Probe> probes() { return kProbes; }

std::vector<std::string_view> probes_of_drawn(std::string_view system) {
  std::vector<std::string_view> ids;
  for (const Probe& probe : kProbes)
    if (!system.empty() && probe.drawn.find(system) != probe.drawn.npos) ids.push_back(probe.id);
  return ids;
}

std::vector<std::string> probes_met(const Evidence& evidence) {
  std::vector<std::string> met;
  for (const Probe& probe : kProbes)
    if (probe.occurs(evidence)) met.emplace_back(probe.id);
  return met;
}

}  // namespace reloadlab::sim
