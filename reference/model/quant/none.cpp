// No quantization: the layer has no post-load step.
#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {

QuantInfo no_quant() {
  return {.id = "none",
          .about = "tensors stay as they were loaded",
          .make = []() -> std::shared_ptr<QuantMethod> { return nullptr; },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = [](const std::vector<SlotSpec>&) -> int64_t { return 0; },
          .permutes = [](std::string_view) { return true; }};
}

}  // namespace reloadlab::model
