#include "sim/replay/load_sizes.h"

#include <algorithm>

namespace reloadlab::sim {

LoadSizes::LoadSizes(const Catalogue& catalogue, model::TensorParallel tp) : catalogue_(catalogue), tp_(tp) {
  layers_.resize(static_cast<size_t>(catalogue_.layer_count()));
  groups_.resize(layers_.size());
  std::vector<BoxSet> written(static_cast<size_t>(catalogue_.target_count()));
  std::set<int> repeated;
  for (int delivery = 0; delivery < static_cast<int>(catalogue_.deliveries().size()); ++delivery)
    for (const Box& box : targets(delivery)) {
      const int slot = catalogue_.target_of(delivery);
      const int64_t fresh = written[static_cast<size_t>(slot)].add(box);
      layers_[static_cast<size_t>(catalogue_.layer_of(delivery))] += fresh;
      if (fresh < box.numel()) repeated.insert(slot);
    }
  for (int layer = 0; layer < catalogue_.layer_count(); ++layer) {
    Group& group = groups_[static_cast<size_t>(catalogue_.group_of(layer))];
    group.elements += of_layer(layer);
    group.deferred = group.deferred || catalogue_.deferred(layer);
  }
  if (!repeated.empty()) note_sharing(repeated);
}

void LoadSizes::note_sharing(const std::set<int>& slots) {
  std::map<int, std::vector<int>> writers;
  for (int delivery = 0; delivery < static_cast<int>(catalogue_.deliveries().size()); ++delivery)
    if (slots.contains(catalogue_.target_of(delivery))) writers[catalogue_.target_of(delivery)].push_back(delivery);
  for (const auto& [slot, deliveries] : writers)
    for (int one : deliveries) {
      BoxSet boxes;
      for (const Box& box : targets(one)) boxes.add(box);
      for (int other : deliveries)
        if (other != one && std::ranges::any_of(targets(other), [&](const Box& box) { return boxes.meets(box); }))
          sharing_[one].push_back(other);
    }
}

const std::vector<int>& LoadSizes::sharing(int delivery) const {
  static const std::vector<int> none;
  const auto found = sharing_.find(delivery);
  return found == sharing_.end() ? none : found->second;
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

}  // namespace reloadlab::sim
