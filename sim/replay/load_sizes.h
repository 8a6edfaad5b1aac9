#pragma once
// What a complete checkpoint writes on one rank, in elements, from closed-form arithmetic alone.
#include <map>
#include <set>

#include "sim/replay/boxes.h"
#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

class LoadSizes {
 public:
  // The catalogue outlives it.
  LoadSizes(const Catalogue& catalogue, model::TensorParallel tp);
  std::vector<model::Placement> placements(int delivery) const;
  std::vector<Box> targets(int delivery) const;         // boxes of the delivery's slot
  const std::vector<int>& sharing(int delivery) const;  // other deliveries that write elements of it, in a slot with two places for one
  int64_t of_layer(int layer) const { return layers_[static_cast<size_t>(layer)]; }
  int64_t of_group(int group) const { return groups_[static_cast<size_t>(group)].elements; }  // of layers that share storage
  bool deferred(int group) const { return groups_[static_cast<size_t>(group)].deferred; }     // some layer of it is

 private:
  const Catalogue& catalogue_;
  model::TensorParallel tp_;
  std::vector<int64_t> layers_;
  std::map<int, std::vector<int>> sharing_;
  struct Group {
    int64_t elements = 0;
    bool deferred = false;
  };
  std::vector<Group> groups_;
  void note_sharing(const std::set<int>& slots);
};

}  // namespace reloadlab::sim
