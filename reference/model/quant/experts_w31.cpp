// Fused experts with their up projections above their gates, as kernels of FlashInfer and CUTLASS take them (swap_w13_to_w31 in
// vllm/model_executor/layers/quantization/utils/flashinfer_utils.py): w13_weight [experts, 2n, k] with its halves exchanged, in a new
// tensor under a new handle. Where weights came with scales, those of gates and up projections change places too: w13_weight_scale
// [experts, 2], or w13_weight_scale_inv [experts, 2⌈n/128⌉, ⌈k/128⌉]. A permutation, which is its own inverse. Peak beside the old
// tensors: the new ones.
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/post_load.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view w31_id = "experts_w31";
constexpr std::string_view w31_swapped[] = {w13_name, "w13_weight_scale", "w13_weight_scale_inv"};

bool is_swapped(std::string_view slot) { return std::ranges::count(w31_swapped, slot) > 0; }

class ExpertsW31 final : public QuantMethod {
 public:
  std::string_view id() const override { return w31_id; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return is_swapped(slot) ? exchanged(processed) : processed;
  }

 protected:
  Status process(Layer& layer) override {
    std::vector<std::pair<std::string_view, ParameterPtr>> old;  // alive to the end of the step
    for (const std::string_view name : w31_swapped)
      if (ParameterPtr tensor = layer.tensor(name)) old.emplace_back(name, std::move(tensor));
    if (old.empty() || old.front().second->tensor.dim() != 3)
      return Status(Code::failed, layer.path() + ": there is no stack w13_weight of matrices");
    std::vector<at::Tensor> others;
    for (const auto& [name, tensor] : old) others.push_back(exchanged(tensor->tensor));
    RELOADLAB_TRY(post_load_middle(layer));
    for (size_t i = 0; i < old.size(); ++i) layer.assign(old[i].first, replacement_of(old[i].second, others[i]));
    return {};
  }
};

std::vector<int64_t> exchange(const SlotSpec& before) {
  std::vector<int64_t> from = identity_permutation(before);
  if (!is_swapped(before.name)) return from;
  const int64_t half = numel(before.shape) / before.shape[0] / 2;
  for (int64_t& element : from) element += element / half % 2 == 0 ? half : -half;
  return from;
}

int64_t w31_extra_bytes(const std::vector<SlotSpec>& before) {
  int64_t bytes = 0;
  for (const SlotSpec& slot : before)
    if (is_swapped(slot.name)) bytes += storage_bytes(slot);
  return bytes;
}

Status check_w31(const std::vector<SlotSpec>& before) {
  for (const SlotSpec& slot : before)
    if (slot.alias_of) return refused(w31_id, "cannot replace tensors that are views, or tied to another layer's");
  const SlotSpec* stack = find_slot(before, w13_name);
  if (stack && stack->shape.size() == 3) return {};
  return refused(w31_id, "needs a stack w13_weight, as fused_experts has it unless it is packed");
}

}  // namespace

QuantInfo experts_w31() {
  return {.id = w31_id,
          .about = "fused experts with their up projections, and the scales of these, above their gates, in new tensors",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<ExpertsW31>(); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = w31_extra_bytes,
          .permutes = [](std::string_view) { return true; },
          .permutation = exchange,
          .check = check_w31};
}

}  // namespace reloadlab::model
