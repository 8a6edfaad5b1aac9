#pragma once
// From a checked `model` to a ModelSpec, with the positions that later messages need.
#include <memory>
#include <string>
#include <vector>

#include "reference/model/spec.h"
#include "sim/scenario/names.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

struct BoundModel {
  model::ModelSpec spec;
  std::vector<Position> positions;       // of each layer's entry
  std::shared_ptr<DeliveryNames> names;  // null: the model has errors, so names cannot be judged
};

// REQUIRES that check_object(node, "model") passed. Reports names that collide, ties and views that lead nowhere.
BoundModel bind_model(const Node& node, Diagnostics& diagnostics);

// Reports, at the layer's place, what cannot be split over so many ranks or is too large.
void check_split(const BoundModel& bound, model::TensorParallel tp, Position model_at, Diagnostics& diagnostics);

}  // namespace reloadlab::sim
