#include "sim/scenario/case.h"

#include <algorithm>

#include "sim/scenario/spelling.h"

namespace reloadlab::sim {

std::string_view world_name(WorldKind kind) { return spell(world_spellings, kind); }

std::optional<WorldKind> world_from_name(std::string_view name) {
  for (const auto& [kind, word] : world_spellings)
    if (word == name) return kind;
  return std::nullopt;
}

namespace {

bool any_sleeps(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) { return step.kind == StepKind::sleep || any_sleeps(step.body); });
}

}  // namespace

bool Case::sleeps() const { return any_sleeps(steps); }

const CheckpointSpec* Case::checkpoint(std::string_view name) const {
  for (const auto& [candidate, spec] : checkpoints)
    if (candidate == name) return &spec;
  return nullptr;
}

namespace {

bool any_brings_from(const std::vector<Step>& steps, LoadPlan::Source source) {
  for (const Step& step : steps)
    if (step.plan.source == source || any_brings_from(step.body, source)) return true;
  return false;
}

}  // namespace

bool Case::brings_from(LoadPlan::Source source) const { return any_brings_from(steps, source); }

std::vector<std::string> Case::shared_layers() const {
  std::vector<std::string> layers;
  for (const model::LayerSpec& layer : model.layers)
    if (series_of(layer.name)) layers.push_back(layer.name);
  return layers;
}

const SeriesSpec* Case::series_of(const std::string& layer) const {
  for (const SeriesSpec& each : series)
    if (each.index_of(layer) >= 0) return &each;
  return nullptr;
}

bool Case::in_window(std::string_view tensor, int64_t rank) const {
  constexpr std::string_view weight = ".weight";
  if (!tensor.ends_with(weight)) return false;
  const SeriesSpec* its = series_of(std::string(tensor.substr(0, tensor.size() - weight.size())));
  return its && its->has_rank(rank);
}

}  // namespace reloadlab::sim
