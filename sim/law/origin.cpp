#include "sim/law/origin.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/evidence/values.h"

namespace reloadlab::sim {

namespace {

// Where in its source, aligned with the slot, the element at `index` of the slot comes from; nothing where the load does not bring it.
std::optional<Shape> source_of(const PlannedLoad& load, const Shape& index) {
  for (const model::Placement& box : load.placements) {
    if (box.extent.size() != index.size()) continue;
    Shape source(index.size());
    bool inside = true;
    for (size_t dim = 0; dim < index.size(); ++dim) {
      const int64_t within = index[dim] - box.target_start[dim];
      inside = inside && within >= 0 && within < box.extent[dim];
      source[dim] = box.source_start[dim] + within;
    }
    if (inside) return source;
  }
  return std::nullopt;
}

// Without the dimensions that only the slot has.
std::string index_text(const Evidence& evidence, const std::string& name, Shape index) {
  const auto delivery = std::ranges::find(evidence.deliveries, name, &model::Delivery::name);
  const size_t dims = delivery == evidence.deliveries.end() ? index.size() : std::min(index.size(), delivery->shape.size());
  index.erase(index.begin(), index.end() - static_cast<std::ptrdiff_t>(dims));
  return list_text(index);
}

bool goes_to(const PlannedLoad& load, std::string_view path) {
  return !load.slot.empty() && load.layer.size() + 1 + load.slot.size() == path.size() && path.starts_with(load.layer) &&
         path.ends_with("." + load.slot);
}

}  // namespace

std::string source_text(const Evidence& evidence, size_t rank, std::string_view path, const Shape& shape, int64_t flat,
                        std::optional<StepRange> within) {
  const Shape index = unflatten(shape, flat);
  for (const PlannedLoad& load : evidence.plan[rank].loads) {
    if (!goes_to(load, path) || (within && (!within->has(load.step) || load.wrong))) continue;
    if (const auto source = source_of(load, index))
      return fmt::format("{} {}", load.delivery, index_text(evidence, load.delivery, *source));
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

struct Origin {
  std::string source;     // "blocks.0.k_proj.weight [32, 0]"; empty: there is none
  bool known = false;     // where it would be: on the layer that holds the tensor, or on the one that its tie or view leads to
  bool derived = false;   // by a post-load step, from more than one source
  bool computed = false;  // from that source, by a post-load step
};

Origin origin_of(const Evidence& evidence, size_t rank, const CensusEntry& entry, int64_t flat, std::optional<StepRange> within) {
  // Stored evidence may hold any model; only one that could be built is worked on.
  const bool sound = model::check_model(evidence.the_case.model, evidence.parallel(rank)).ok();
  const auto made = sound ? loaded_element(evidence, rank, entry, flat) : std::nullopt;
  if (!has_post_load(evidence, rank, made ? std::string_view(made->layer->name) : entry.layer)) {
    return {.source = made ? source_text(evidence, rank, made->path(), made->slot.shape, made->flat, within)
                           : source_text(evidence, rank, entry.path, entry.shape, flat, within),
            .known = made.has_value()};
  }
  if (!made) return {.derived = sound};
  const model::QuantInfo* quant = model::find_quant_method(made->layer->quant);
  // A layer without quantization has a step of its own, about which nothing is declared.
  const bool permuted = quant && quant->id != "none" && quant->permutes && quant->permutes(made->slot.name);
  const int64_t before = permuted ? quant->permutation(made->slot)[static_cast<size_t>(made->flat)] : made->flat;
  return {.source = source_text(evidence, rank, made->path(), made->slot.shape, before, within), .known = true, .computed = !permuted};
}

}  // namespace

std::string origin_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, const std::string& checkpoint, int64_t flat,
                        std::optional<StepRange> within) {
  const Origin origin = origin_of(evidence, rank, entry, flat, within);
  if (!origin.source.empty())
    return fmt::format(", from {}: {}{}", checkpoint, origin.source, origin.computed ? ", through the post-load step" : "");
  const std::string cold = ", from a cold load of " + checkpoint;
  if (origin.derived) return cold + ": derived by the post-load step, no single source";
  return origin.known ? cold + ": no delivered element is its source" : cold;
}

std::string before_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, int step, int64_t flat) {
  const std::string as_before = " as before the update";
  const RankPlan::State* before = nullptr;
  for (const RankPlan::State& state : evidence.plan[rank].states)
    if (state.step < step) before = &state;
  return before && !before->partial ? as_before + origin_text(evidence, rank, entry, before->checkpoint, flat) : as_before;
}

std::string overlay_text(const Evidence& evidence, size_t rank, const CensusEntry& entry, StepRange update, const std::string& checkpoint,
                         int64_t flat) {
  const bool delivered = !origin_of(evidence, rank, entry, flat, update).source.empty();
  return delivered ? origin_text(evidence, rank, entry, checkpoint, flat, update) : before_text(evidence, rank, entry, update.first, flat);
}

}  // namespace reloadlab::sim
