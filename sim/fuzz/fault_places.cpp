#include "sim/fuzz/fault_places.h"

#include <algorithm>
#include <limits>

#include "reference/model/kind.h"

namespace reloadlab::sim::fuzz {
namespace {

// Chances that every rank has for sure. A load call that brings a rank nothing need not reach the loader there, and a layer that gets
// nothing is not processed.
struct Chances {
  int64_t loads = 0, layers = 0, steps = 0;
};

int64_t loads_everywhere(const model::LayerSpec& layer, int ranks) {
  const model::LayerKind& kind = *model::find_layer_kind(layer.kind);
  const std::vector<model::Delivery> deliveries = kind.deliveries(layer);
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int rank = 0; rank < ranks; ++rank)
    least = std::min<int64_t>(least, std::ranges::count_if(deliveries, [&](const model::Delivery& delivery) {
                                return !kind.placements(layer, delivery, {rank, ranks}).empty();
                              }));
  return least;
}

Chances chances_of(const Case& the_case) {
  Chances chances;
  for (const model::LayerSpec& layer : the_case.model.layers) {
    const int64_t loads = loads_everywhere(layer, the_case.ranks);
    chances.loads += loads;
    chances.layers += loads > 0;
    chances.steps += loads > 0 && layer.quant != "none" && layer.quant != "row_table";  // which writes at once, and has no middle
  }
  return chances;
}

}  // namespace

std::vector<std::pair<Fault::At, int64_t>> fault_places(const Case& the_case, int64_t load_calls) {
  using enum Fault::At;
  const Chances chances = chances_of(the_case);
  std::vector<std::pair<Fault::At, int64_t>> places{{source, load_calls}};
  if (chances.layers > 0) places.insert(places.end(), {{loader, chances.loads}, {copy_back, chances.layers}});
  if (chances.steps > 0) places.insert(places.end(), {{post_load_enter, chances.steps}, {post_load_middle, chances.steps}});
  return places;
}

}  // namespace reloadlab::sim::fuzz
