// 8-bit floats (e4m3, largest 448) of fused experts that a checkpoint brings with a scale for each matrix, where kernels take one for gate
// and up projection together: of each expert the larger of the two stays, and both are quantized again with it, as engines do
// (process_weights_after_loading of Fp8MoEMethod, vllm/model_executor/layers/quantization/fp8.py). In single precision, for an element of
// expert e's part p, the gate or the up projection:
//
//   scale[e]   = max(w13_weight_scale[e, 0], w13_weight_scale[e, 1])
//   weight'    = weight · w13_weight_scale[e, p] / scale[e], clamped to ±448, to the nearest e4m3, ties to even; 0x7f for what is no number
//
// w13_weight [experts, 2n, k] and w13_weight_scale [experts] get new handles, w2 stays. Peak beside the old tensors: the new ones, and one
// part of an expert in single precision. Elements that were rounded twice cannot be told from others: the step cannot be undone. Forwards
// compute with weight' · scale.
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/quant/boxes.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view loaded_fp8_id = "loaded_experts_fp8_per_tensor";
constexpr std::string_view loaded_fp8_scale_name = "w13_weight_scale";
constexpr double loaded_fp8_largest = 448;
constexpr int64_t parts = 2;

class LoadedExpertsFp8 final : public QuantMethod {
 public:
  std::string_view id() const override { return loaded_fp8_id; }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(w13_name), scales = layer.tensor(loaded_fp8_scale_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 3 || !scales) return Status(Code::failed, fmt::format("layer {} has no scaled experts", layer.path()));
    const at::Tensor made = at::empty(old->tensor.sizes(), old->tensor.options());
    at::Tensor scale = at::empty({made.size(0)}, scales->tensor.options());
    at::amax_out(scale, scales->tensor, {1});
    one_nan(scale);
    for (int64_t expert = 0; expert < experts_worked_on(made); ++expert)
      quantize_again(old->tensor.select(0, expert), scales->tensor.select(0, expert), scale.select(0, expert), made.select(0, expert));
    layer.assign(w13_name, replacement_of(old, made));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(loaded_fp8_scale_name, replacement_of(scales, scale));
    return {};
  }

 private:
  static void quantize_again(const at::Tensor& matrix, const at::Tensor& scales, const at::Tensor& scale, const at::Tensor& made) {
    const int64_t rows = matrix.size(0) / parts;
    for (int64_t part = 0; part < parts; ++part) {
      at::Tensor single = at::empty({rows, matrix.size(1)}, matrix.options().dtype(at::kFloat));
      single.copy_(matrix.narrow(0, part * rows, rows)).mul_(scales.select(0, part));
      divide(single, scale, cut(rows, matrix.size(1), 0, 0), loaded_fp8_largest);
      made.narrow(0, part * rows, rows).copy_(single);
    }
  }
};

std::vector<SlotSpec> loaded_fp8_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  std::ranges::find(after, loaded_fp8_scale_name, &SlotSpec::name)->shape.pop_back();
  return after;
}

int64_t loaded_fp8_extra_bytes(const std::vector<SlotSpec>& before) {
  const StackSize size = stack_size(*find_slot(before, w13_name));
  const int64_t single = dtype_size(DType::f32);
  return storage_bytes(*find_slot(before, w13_name)) + size.experts * single + size.elements() / parts * single;
}

Status check_loaded_fp8(const std::vector<SlotSpec>& before) {
  if (std::ranges::any_of(before, [](const SlotSpec& slot) { return slot.alias_of.has_value(); }))
    return refused(loaded_fp8_id, "cannot replace tensors that are tied or views");
  const SlotSpec *stack = find_slot(before, w13_name), *scales = find_slot(before, loaded_fp8_scale_name);
  if (stack && stack->dtype == DType::e4m3 && stack->shape.size() == 3 && scales && scales->shape.size() == 2) return {};
  return refused(loaded_fp8_id, "needs experts in e4m3 with w13_weight_scale, as fused_experts has them with scales: tensor");
}

}  // namespace

QuantInfo loaded_experts_fp8_per_tensor() {
  return {.id = loaded_fp8_id,
          .about = "loaded e4m3 experts, gate and up projection of each quantized again with the larger of their scales",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<LoadedExpertsFp8>(); },
          .results = loaded_fp8_results,
          .extra_bytes = loaded_fp8_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != w13_name && slot != loaded_fp8_scale_name; },
          .permutation = identity_permutation,
          .check = check_loaded_fp8};
}

}  // namespace reloadlab::model
