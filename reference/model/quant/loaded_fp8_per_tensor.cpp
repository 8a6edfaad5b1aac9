// 8-bit floats (e4m3, largest 448) that a checkpoint brings with a scale for each part of a merged weight [n, k], where kernels take one:
// the largest stays, and every part is quantized again with it, as engines do (requantize_with_max_scale in
// vllm/model_executor/layers/quantization/utils/w8a8_utils.py). In single precision, for an element of part p:
//
//   scale      = the largest of weight_scale
//   weight'    = weight · weight_scale[p] / scale, clamped to ±448, to the nearest e4m3, ties to even; 0x7f for what is no number
//
// A part whose scale is the largest stays as it is. The weight becomes [k, n], dense, and weight_scale [1], each under a new handle. Peak
// beside the old weight: its elements in single precision, the scale and the result. Elements that were rounded twice cannot be told from
// others: the step cannot be undone. Forwards compute with weight' · scale.
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/boxes.h"
#include "reference/model/quant/loaded_fp8.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view per_tensor_id = "loaded_fp8_per_tensor";
constexpr std::string_view scale_name = "weight_scale";
constexpr double largest_e4m3 = 448;

class LoadedFp8PerTensor final : public QuantMethod {
 public:
  std::string_view id() const override { return per_tensor_id; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == weight_name ? processed.t() : processed;
  }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor value = QuantMethod::compute_value(layer, slot);
    return slot == weight_name ? value.to(at::kFloat).mul_(held(layer, scale_name)) : value;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name), scales = layer.tensor(scale_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2 || !scales) return Status(Code::failed, fmt::format("layer {} has no scaled weight", layer.path()));
    at::Tensor single = at::empty(old->tensor.sizes(), old->tensor.options().dtype(at::kFloat)).copy_(old->tensor);
    const at::Tensor scale = at::empty({1}, single.options());
    at::Tensor most = scale.view(at::IntArrayRef());
    at::amax_out(most, scales->tensor, {0});
    one_nan(most);
    divide(scale_parts(single, scales->tensor, layer), scale, cut(single.size(0), single.size(1), 0, 0), largest_e4m3);
    at::Tensor result = at::empty({single.size(1), single.size(0)}, old->tensor.options()).copy_(single.t());
    layer.assign(weight_name, replacement_of(old, result));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(scale_name, replacement_of(scales, scale));
    return {};
  }
};

std::vector<SlotSpec> per_tensor_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  for (SlotSpec& slot : after) {
    if (slot.name == weight_name) std::swap(slot.shape[0], slot.shape[1]);
    if (slot.name == scale_name) slot.shape = {1};
  }
  return after;
}

int64_t per_tensor_extra_bytes(const std::vector<SlotSpec>& before) {
  const int64_t elements = numel(weight_of(before).shape), single = dtype_size(DType::f32);
  return elements * single + single + elements;
}

}  // namespace

QuantInfo loaded_fp8_per_tensor() {
  return {.id = per_tensor_id,
          .about = "a loaded e4m3 weight, its parts quantized again with the largest of their scales, in transposed layout",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<LoadedFp8PerTensor>(); },
          .results = per_tensor_results,
          .extra_bytes = per_tensor_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != weight_name && slot != scale_name; },
          .permutation = identity_permutation,
          .check = [](const std::vector<SlotSpec>& before) { return check_loaded_fp8(per_tensor_id, before, scale_name, 1, "tensor"); },
          .value_bytes = [](const std::vector<SlotSpec>& before) { return numel(weight_of(before).shape) * dtype_size(DType::f32); }};
}
}  // namespace reloadlab::model
