#pragma once
// The order in which a load plan delivers a checkpoint: what the transport would do, as a list.
#include <optional>
#include <string>
#include <vector>

#include "sim/replay/catalogue.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

struct Sent {
  int delivery = -1;                 // index into the catalogue; -1: a name that no layer takes
  std::string unknown;               // that name
  std::optional<Shape> wrong_shape;  // delivered with this shape
  std::optional<DType> wrong_dtype;  // or dtype instead
  std::optional<DType> dtype;        // as which floating-point content arrives
  LoadPlan::Layout layout = LoadPlan::Layout::dense;
  int chunk = 0;  // deliveries of one chunk share a transport buffer

  Shape shape_of(const model::Delivery& content) const;
  DType dtype_of(const model::Delivery& content) const;
  // What it occupies, the gaps of its layout included.
  int64_t bytes_of(const model::Delivery& content) const;
};

// Every delivery that the plan keeps, in its order, repeats in place, then the excess ones, then the unknown names.
std::vector<Sent> sequence(const Catalogue& catalogue, const LoadPlan& plan);

bool glob_match(const std::string& pattern, const std::string& name);

}  // namespace reloadlab::sim
