#include "sim/replay/load_sizes.h"

#include <map>

namespace reloadlab::sim {

LoadSizes::LoadSizes(const Catalogue& catalogue, model::TensorParallel tp) : catalogue_(catalogue), tp_(tp) {
  layers_.resize(static_cast<size_t>(catalogue_.layer_count()));
  std::map<std::string, BoxSet> written;
  for (int delivery = 0; delivery < static_cast<int>(catalogue_.deliveries().size()); ++delivery)
    for (const Box& box : targets(delivery))
      layers_[static_cast<size_t>(catalogue_.layer_of(delivery))] += written[catalogue_.target_of(delivery)].add(box);
}

std::vector<model::Placement> LoadSizes::placements(int delivery) const {
  const int layer = catalogue_.layer_of(delivery);
  return catalogue_.kind(layer).placements(catalogue_.layer(layer), catalogue_.deliveries()[static_cast<size_t>(delivery)], tp_);
}

std::vector<Box> LoadSizes::targets(int delivery) const {
  std::vector<Box> boxes;
  for (const model::Placement& p : placements(delivery)) boxes.push_back({p.target_start, p.extent});
  return boxes;
}

int64_t LoadSizes::of_group(int group) const {
  int64_t total = 0;
  for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
    if (catalogue_.group_of(layer) == group) total += of_layer(layer);
  return total;
}

bool LoadSizes::deferred(int group) const {
  for (int layer = 0; layer < catalogue_.layer_count(); ++layer)
    if (catalogue_.group_of(layer) == group && catalogue_.deferred(layer)) return true;
  return false;
}

}  // namespace reloadlab::sim
