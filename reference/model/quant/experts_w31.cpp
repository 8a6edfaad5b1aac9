// Fused experts with their up projections above their gates, as kernels of FlashInfer and CUTLASS take them (swap_w13_to_w31 in
// vllm/model_executor/layers/quantization/utils/flashinfer_utils.py): w13_weight [experts, 2n, k] with its halves exchanged, in a new
// tensor under a new handle. A permutation, which is its own inverse. Peak beside the old stack: the new one.
#include <fmt/format.h>

#include "reference/model/post_load.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

class ExpertsW31 final : public QuantMethod {
 public:
  std::string_view id() const override { return "experts_w31"; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == w13_name ? exchanged(processed) : processed;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(w13_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 3) return Status(Code::failed, layer.path() + ": there is no stack w13_weight of matrices");
    const at::Tensor other = exchanged(old->tensor);
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(w13_name, replacement_of(old, other));
    return {};
  }
};

std::vector<int64_t> exchange(const SlotSpec& before) {
  std::vector<int64_t> from = identity_permutation(before);
  if (before.name != w13_name) return from;
  const int64_t half = before.shape[1] / 2 * before.shape[2];
  for (int64_t& element : from) element += element / half % 2 == 0 ? half : -half;
  return from;
}

}  // namespace

QuantInfo experts_w31() {
  return {.id = "experts_w31",
          .about = "fused experts with their up projections above their gates, in a new tensor",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<ExpertsW31>(); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = [](const std::vector<SlotSpec>& before) { return storage_bytes(*find_slot(before, w13_name)); },
          .permutes = [](std::string_view) { return true; },
          .permutation = exchange,
          .check = [](const std::vector<SlotSpec>& before) { return check_stacks("experts_w31", before, {}); }};
}
}  // namespace reloadlab::model
