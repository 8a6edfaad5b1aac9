#include "sim/law/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kind.h"
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
    arrived += load->fresh;
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

}  // namespace

std::string explain(const Evidence& evidence, const Execution& execution, size_t rank, int step, std::string_view layer) {
  const RankRun& run = execution.ranks[rank];
  Story story{evidence, run, update_of(execution, step), {}, layer_index(evidence, layer)};
  const RankPlan& plan = evidence.plan[rank];
  for (const PlannedLoad& load : plan.loads)
    if (load.layer == layer && story.update.has(load.step)) story.loads.push_back(&load);
  const Step* end = step_at(execution, step);
  if (end && end->kind == StepKind::load) return failure(run, story.update);
  std::string text;
  for (const std::string& part : {failure(run, story.update), completion(story, total_of(plan, layer)), dropped(story)})
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  return text;
}

std::string source_text(const Evidence& evidence, size_t rank, std::string_view path, const Shape& shape, int64_t flat) {
  const Shape index = unflatten(shape, flat);
  for (const PlannedLoad& load : evidence.plan[rank].loads) {
    if (load.slot.empty() || load.layer.size() + 1 + load.slot.size() != path.size() || load.layer + "." + load.slot != path) continue;
    for (const model::Placement& box : load.placements) {
      if (box.extent.size() != index.size()) continue;
      Shape source(index.size());
      bool inside = true;
      for (size_t dim = 0; dim < index.size(); ++dim) {
        const int64_t within = index[dim] - box.target_start[dim];
        inside = inside && within >= 0 && within < box.extent[dim];
        source[dim] = box.source_start[dim] + within;
      }
      if (inside) return fmt::format("{} {}", load.delivery, list_text(source));
    }
  }
  return {};
}

namespace {

// An element of a slot as the layer's constructor makes it, before any post-load step.
struct Made {
  const model::LayerSpec* layer;
  model::SlotSpec slot;
  int64_t flat;
  std::string path() const { return layer->name + "." + slot.name; }
};

// None: the constructor makes no such slot.
std::optional<Made> made_element(const Evidence& evidence, size_t rank, std::string_view layer, std::string_view slot, int64_t flat) {
  const model::LayerSpec* spec = layer_spec(evidence, layer);
  const model::LayerKind* kind = spec ? model::find_layer_kind(spec->kind) : nullptr;
  if (!kind) return std::nullopt;
  const auto slots = kind->slots(*spec, {static_cast<int>(rank), static_cast<int>(evidence.plan.size())});
  const auto found = std::ranges::find(slots, slot, &model::SlotSpec::name);
  if (found == slots.end() || flat >= numel(found->shape)) return std::nullopt;
  return Made{spec, *found, flat};
}

// Follows ties and views to the tensor that is loaded. The model was checked: no chain of them is longer than its slots.
std::optional<Made> loaded_element(const Evidence& evidence, size_t rank, const CensusEntry& entry, int64_t flat) {
  if (entry.path.size() <= entry.layer.size()) return std::nullopt;
  auto made = made_element(evidence, rank, entry.layer, std::string_view(entry.path).substr(entry.layer.size() + 1), flat);
  if (made && made->slot.shape != entry.shape) return std::nullopt;
  for (size_t hops = 0; made && made->slot.alias_of && hops < evidence.layers.size() + 1; ++hops) {
    const auto [layer, slot] = model::split_slot_path(model::resolve_alias(evidence.the_case.model, *made->layer, *made->slot.alias_of));
    made = made_element(evidence, rank, layer, slot, made->flat + made->slot.alias_start);
  }
  return made;
}

}  // namespace

std::string origin_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, const std::string& checkpoint, int64_t flat) {
  const std::string cold = ", from a cold load of " + checkpoint;
  // Stored evidence may hold any model; only one that could be built is worked on.
  const bool sound = model::check_model(evidence.the_case.model, static_cast<int>(evidence.plan.size())).ok();
  const auto made = sound ? loaded_element(evidence, rank, entry, flat) : std::nullopt;
  if (!has_post_load(evidence, rank, made ? std::string_view(made->layer->name) : entry.layer)) {
    const std::string source = made ? source_text(evidence, rank, made->path(), made->slot.shape, made->flat)
                                    : source_text(evidence, rank, entry.path, entry.shape, flat);
    if (!source.empty()) return fmt::format(", from {}: {}", checkpoint, source);
    return made ? cold + ": no delivered element is its source" : cold;
  }
  if (!sound) return cold;
  if (!made) return cold + ": derived by the post-load step, no single source";
  const model::QuantInfo* quant = model::find_quant_method(made->layer->quant);
  // A layer without quantization has a step of its own, about which nothing is declared.
  const bool permuted = quant && quant->id != "none" && quant->permutes && quant->permutes(made->slot.name);
  const int64_t before = permuted ? quant->permutation(made->slot)[static_cast<size_t>(made->flat)] : made->flat;
  const std::string source = source_text(evidence, rank, made->path(), made->slot.shape, before);
  if (source.empty()) return cold + ": no delivered element is its source";
  return fmt::format(", from {}: {}{}", checkpoint, source, permuted ? "" : ", through the post-load step");
}

}  // namespace reloadlab::sim
