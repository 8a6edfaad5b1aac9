// No quantization: the layer has no post-load step.
#include <numeric>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {

std::vector<int64_t> identity_permutation(const SlotSpec& before) {
  std::vector<int64_t> all(static_cast<size_t>(numel(before.shape)));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

QuantInfo no_quant() {
  return {.id = "none",
          .about = "tensors stay as they were loaded",
          .make = []() -> std::shared_ptr<QuantMethod> { return nullptr; },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = [](const std::vector<SlotSpec>&) -> int64_t { return 0; },
          .permutes = [](std::string_view) { return true; },
          .permutation = identity_permutation,
          .check = [](const std::vector<SlotSpec>&) { return Status(); }};
}

}  // namespace reloadlab::model
