#include "sim/law/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/evidence/values.h"

namespace reloadlab::sim {
namespace {

// Where in an update something happened: a load call, or (load -1) after them.
struct Place {
  int step = -1, load = -1;
  bool reached(const PlannedLoad& planned) const {
    return planned.step < step || (planned.step == step && (load < 0 || planned.index <= load));
  }
};

// One layer's part of one update on one rank.
struct Story {
  const Evidence& evidence;
  const RankRun& run;
  StepRange update;
  std::vector<const PlannedLoad*> loads;
  int layer;

  template <class Fn>
  const Event* first_event(Fn&& wanted) const {
    for (const Event& event : run.events)
      if (event.layer == layer && update.has(event.step) && wanted(event.kind)) return &event;
    return nullptr;
  }
  const Event* processed() const {
    return first_event([](EventKind kind) {
      return kind == EventKind::completed || kind == EventKind::post_load_begin || kind == EventKind::write_kernel;
    });
  }
  // Whether its call went through: an update ends with a load that fails.
  bool arrived(const PlannedLoad& load) const {
    return std::ranges::none_of(run.events, [&](const Event& event) {
      return event.kind == EventKind::load_end && !event.text.empty() && event.step == load.step && event.load <= load.index;
    });
  }
  int64_t counted(const Place& until) const {
    int64_t sum = 0;
    for (const Event& event : run.events)
      if (event.kind == EventKind::load_counted && event.layer == layer && update.has(event.step) &&
          (event.step < until.step || (event.step == until.step && (until.load < 0 || event.load <= until.load))))
        sum += event.numel;
    return sum;
  }
};

int64_t total_of(const RankPlan& plan, std::string_view layer) {
  const auto found = std::ranges::find(plan.totals, layer, &RankPlan::LayerTotal::layer);
  return found == plan.totals.end() ? 0 : found->loadable;
}

std::string repeats(const Story& story, const Place& until) {
  std::string text;
  for (size_t i = 0; i < story.loads.size(); ++i) {
    const std::string& name = story.loads[i]->delivery;
    const auto same = [&](const PlannedLoad* load) { return load->delivery == name && until.reached(*load); };
    if (std::find_if(story.loads.begin(), story.loads.begin() + static_cast<int64_t>(i), same) !=
        story.loads.begin() + static_cast<int64_t>(i))
      continue;
    const auto times = std::ranges::count_if(story.loads, same);
    if (times > 1)
      text += fmt::format("{}{} arrived {}", text.empty() ? "" : ", ", name, times == 2 ? "twice" : fmt::format("{} times", times));
  }
  return text.empty() ? text : " (" + text + ")";
}

std::string completion(const Story& story, int64_t total) {
  if (story.loads.empty()) return {};
  const Event* event = story.processed();
  int64_t arrived = 0, position = 0, distinct = 0;
  const Place until = event ? Place{event->step, event->load} : Place{story.update.last, -1};
  for (const PlannedLoad* load : story.loads) {
    if (story.arrived(*load)) arrived += load->fresh;
    if (!until.reached(*load)) continue;
    ++position;
    distinct += load->fresh;
  }
  if (!event) {
    return fmt::format("never processed: {} of {} elements arrived", count_text(arrived), count_text(total));
  }
  if (event->load < 0) {
    if (distinct >= total) return {};
    return fmt::format("processed at finish with {} of {} elements loaded", count_text(distinct), count_text(total));
  }
  if (distinct >= total) return {};
  const int64_t counted = story.counted(until);
  std::string text = fmt::format("completed at load {} of {}: ", position, story.loads.size());
  if (counted > 0) text += fmt::format("{} element{} counted, ", count_text(counted), counted == 1 ? "" : "s");
  return text + fmt::format("{} of {} distinct{}", count_text(distinct), count_text(total), repeats(story, until));
}

// Loads that brought elements which the candidate counted as none.
std::string uncounted(const Story& story) {
  std::string names;
  for (const PlannedLoad* load : story.loads) {
    const auto counted = [&](const Event& event) {
      return event.kind == EventKind::load_counted && event.step == load->step && event.load == load->index && event.layer == story.layer;
    };
    const auto event = std::ranges::find_if(story.run.events, counted);
    if (load->fresh > 0 && event != story.run.events.end() && event->numel == 0) names += (names.empty() ? "" : ", ") + load->delivery;
  }
  return names.empty() ? names : fmt::format("counted as no element: {}", names);
}

// Loads whose bytes the transport had overwritten by the time that the layer was processed.
std::string overwritten(const Story& story, const Execution& execution) {
  const Event* event = story.processed();
  for (const PlannedLoad* load : story.loads) {
    const Step* step = step_at(execution, load->step);
    const int64_t chunk = !step || !step->plan.transport_owns() ? 0 : std::max<int64_t>(step->plan.chunk, 1);
    if (chunk == 0 || !event || event->step < load->step) continue;
    const bool same = event->step == load->step && event->load >= 0 && event->load / chunk == load->index / chunk;
    if (!same && event->load != load->index)
      return fmt::format("processed after the transport had reused the buffer in which {} came", load->delivery);
  }
  return {};
}

std::string dropped(const Story& story) {
  for (const Event& event : story.run.events) {
    if (event.kind != EventKind::load_dropped || event.layer != story.layer || !story.update.has(event.step)) continue;
    const auto load = std::ranges::find_if(
        story.loads, [&](const PlannedLoad* planned) { return planned->step == event.step && planned->index == event.load; });
    if (load == story.loads.end()) return {};
    return fmt::format("{} was dropped{}", (*load)->delivery, event.text.empty() ? "" : " (" + event.text + ")");
  }
  return {};
}

std::string failure(const RankRun& run, StepRange update) {
  for (int step = update.first; step <= update.last; ++step) {
    const StepOutcome* outcome = outcome_of(run, step);
    if (outcome && !outcome->status.ok()) return "the step failed: " + outcome->status.message();
  }
  return {};
}

// A layer's tensors that have elements which no load writes.
std::string unwritten(const Story& story, const RankPlan& plan, std::string_view layer) {
  const Census* census = census_after(story.run, story.update.first - 1);
  if (!story.processed() || !census) return {};
  int64_t held = 0;
  std::set<int64_t> seen;
  for (const CensusEntry& entry : census->entries)
    if (entry.layer == layer && entry.storage >= 0 && seen.insert(entry.handle).second) held += numel(entry.shape);
  const int64_t loadable = total_of(plan, layer);
  if (held <= loadable) return {};
  return fmt::format("processed, and of its {} elements loads write {}", count_text(held), count_text(loadable));
}

Story story_of(const Evidence& evidence, const Execution& execution, size_t rank, StepRange update, std::string_view layer) {
  Story story{evidence, execution.ranks[rank], update, {}, layer_index(evidence, layer)};
  for (const PlannedLoad& load : evidence.plan[rank].loads)
    if (load.layer == layer && update.has(load.step)) story.loads.push_back(&load);
  return story;
}

// Layers that share a storage with the layer as the update begins.
std::vector<std::string> sharers(const Census& census, std::string_view layer) {
  std::set<int64_t> own;
  for (const CensusEntry& entry : census.entries)
    if (entry.layer == layer && entry.storage >= 0) own.insert(entry.storage);
  std::vector<std::string> others;
  for (const CensusEntry& entry : census.entries)
    if (entry.layer != layer && own.contains(entry.storage) && std::ranges::find(others, entry.layer) == others.end())
      others.push_back(entry.layer);
  return others;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts)
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  return text;
}

// What became of the layer's own loads.
std::string own_part(const Story& story, const Execution& execution, const RankPlan& plan, std::string_view layer) {
  return join({completion(story, total_of(plan, layer)), uncounted(story), dropped(story), overwritten(story, execution)});
}

std::string of_sharers(const Evidence& evidence, const Execution& execution, size_t rank, StepRange update, std::string_view layer) {
  const RankPlan& plan = evidence.plan[rank];
  const Census* census = census_after(execution.ranks[rank], update.first - 1);
  std::vector<std::string> parts;
  for (const std::string& other : census ? sharers(*census, layer) : std::vector<std::string>()) {
    const Story story = story_of(evidence, execution, rank, update, other);
    std::string part = own_part(story, execution, plan, other);
    if (part.empty() && story.processed()) part = story.loads.empty() ? "processed without a load of its own" : "processed as well";
    if (!part.empty()) parts.push_back(fmt::format("{}, which shares its storage: {}", other, part));
  }
  return join(parts);
}

}  // namespace

std::string explain(const Evidence& evidence, const Execution& execution, size_t rank, int step, std::string_view layer) {
  const RankRun& run = execution.ranks[rank];
  const RankPlan& plan = evidence.plan[rank];
  const StepRange update = update_of(execution, step);
  const std::string failed = failure(run, update);
  const Step* end = step_at(execution, step);
  if (end && end->kind == StepKind::load) return failed;
  if (layer.empty()) return failed;  // no load is for what a process keeps outside of its model
  const Story story = story_of(evidence, execution, rank, update, layer);
  const std::string known = join({failed, own_part(story, execution, plan, layer), of_sharers(evidence, execution, rank, update, layer)});
  return known.empty() ? unwritten(story, plan, layer) : known;
}

}  // namespace reloadlab::sim
