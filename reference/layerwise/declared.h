#pragma once
// boxes=declared: what a loader copies, by its own word (model::Loader::boxes). It is asked once for each parameter, shard and expert.
#include <map>
#include <vector>

#include "reference/layerwise/accounting/footprint.h"
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

struct LoadCall;

struct DeclaredBox {
  at::Tensor to;  // on the placeholder's storage
  Footprint footprint;
  // As a part of a loaded tensor that lies in a row.
  std::vector<int64_t> sizes, strides;
  int64_t start = 0;
};

struct DeclaredBoxes {
  bool said = false;
  std::vector<int64_t> shape;  // of the loaded tensor that it was said of
  std::vector<DeclaredBox> boxes;
};

struct ByArguments {
  bool operator()(const model::LoadArgs& a, const model::LoadArgs& b) const;
};
using DeclaredByArguments = std::map<model::LoadArgs, DeclaredBoxes, ByArguments>;

// Null: the loader has to be called.
const DeclaredBoxes* declared_boxes(const LoadCall& call, const model::Loader& loader, const at::Tensor& destination);
// The box's part of the loaded tensor.
at::Tensor part_of(const DeclaredBox& box, const at::Tensor& loaded);

}  // namespace reloadlab::layerwise
