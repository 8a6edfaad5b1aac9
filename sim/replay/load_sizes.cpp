#include "sim/replay/load_sizes.h"

#include <algorithm>

namespace reloadlab::sim {

LoadSizes::LoadSizes(const Catalogue& catalogue, model::TensorParallel tp) : catalogue_(catalogue), tp_(tp) {
  layers_.resize(static_cast<size_t>(catalogue_.layer_count()));
  std::map<std::string, BoxSet> written;
  std::set<std::string> repeated;
  for (int delivery = 0; delivery < static_cast<int>(catalogue_.deliveries().size()); ++delivery)
    for (const Box& box : targets(delivery)) {
      const std::string& slot = catalogue_.target_of(delivery);
      const int64_t fresh = written[slot].add(box);
      layers_[static_cast<size_t>(catalogue_.layer_of(delivery))] += fresh;
      if (fresh < box.numel()) repeated.insert(slot);
    }
  if (!repeated.empty()) note_sharing(repeated);
}

void LoadSizes::note_sharing(const std::set<std::string>& slots) {
  std::map<std::string, std::vector<int>> writers;
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
