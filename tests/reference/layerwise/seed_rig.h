#pragma once
// What the tests of the seed profile share.
#include "reference/model/guard.h"
#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {

using Shape = std::vector<int64_t>;

inline LayerSpec parts(Values values, const std::string& name = "x") {
  values.emplace("shape", Shape{4, 4});
  return layer_of("buffers", std::move(values), name);
}

struct SeedRig : Rig {
  explicit SeedRig(const ModelSpec& the_spec) : Rig(the_spec, "seed") { start(); }
};

inline const Picture::Entry& entry(const Picture& picture, const std::string& path) {
  for (const Picture::Entry& each : picture.entries)
    if (each.path == path) return each;
  ADD_FAILURE() << "nothing is called " << path;
  return picture.entries.front();
}

inline bool has_nan(const at::Tensor& tensor) { return tensor.isnan().any().item<bool>(); }

}  // namespace reloadlab::layerwise
