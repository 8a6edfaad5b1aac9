// 8-bit floats (e4m3, largest 448) that a checkpoint brings with their scales, made ready for kernels.
//
// loaded_fp8_per_tensor: parts of a merged weight [n, k] come with a scale each, and kernels take one. The largest stays, and every part is
// quantized again with it, as engines do (requantize_with_max_scale in vllm/model_executor/layers/quantization/utils/w8a8_utils.py). In
// single precision, for an element of part p:
//
//   scale      = the largest of weight_scale
//   weight'    = weight · weight_scale[p] / scale, clamped to ±448, to the nearest e4m3, ties to even
//
// A part whose scale is the largest stays as it is. The weight becomes [k, n], dense, and weight_scale [1], each under a new handle. Peak
// beside the old weight: its elements in single precision, the scale and the result. Elements that were rounded twice cannot be told from
// others: the step cannot be undone.
//
// loaded_fp8_block: kernels take whole blocks of 128×128, so the weight is padded with zeros under a new handle; where nothing is to pad,
// nothing is done. Scales stay. Peak beside the old weight: the new one.
//
// Forwards compute with weight' · scale, without padding.
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view per_tensor_id = "loaded_fp8_per_tensor", block_id = "loaded_fp8_block";
constexpr std::string_view scale_name = "weight_scale", block_scale_name = "weight_scale_inv";
constexpr double largest = 448;
constexpr int64_t block = 128;

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
    scale_parts(single, scales->tensor, layer).div_(scale).clamp_(-largest, largest);
    at::Tensor result = at::empty({single.size(1), single.size(0)}, old->tensor.options()).copy_(single.t());
    layer.assign(weight_name, replacement_of(old, result));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(scale_name, replacement_of(scales, scale));
    return {};
  }
};

class LoadedFp8Block final : public QuantMethod {
 public:
  std::string_view id() const override { return block_id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor value = held(layer, slot);
    if (slot != weight_name) return value;
    at::Tensor single = value.to(at::kFloat);
    const SlotSpec loaded = loaded_weight(layer);
    return scale_boxes(single, held(layer, block_scale_name), block).narrow(0, 0, loaded.shape[0]).narrow(1, 0, loaded.shape[1]);
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2) return Status(Code::failed, fmt::format("layer {} has no weight of two dimensions", layer.path()));
    const int64_t n = old->tensor.size(0), k = old->tensor.size(1);
    RELOADLAB_TRY(post_load_middle(layer));
    if (n % block == 0 && k % block == 0) return {};
    at::Tensor padded = at::empty({round_up(n, block), round_up(k, block)}, old->tensor.options()).zero_();
    padded.narrow(0, 0, n).narrow(1, 0, k).copy_(old->tensor);
    layer.assign(weight_name, replacement_of(old, padded));
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

Shape padded_shape(const Shape& shape) { return {round_up(shape[0], block), round_up(shape[1], block)}; }

std::vector<SlotSpec> block_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  for (SlotSpec& slot : after)
    if (slot.name == weight_name) slot.shape = padded_shape(slot.shape);
  return after;
}

int64_t block_extra_bytes(const std::vector<SlotSpec>& before) {
  const Shape& shape = weight_of(before).shape;
  return padded_shape(shape) == shape ? 0 : numel(padded_shape(shape));
}

Status check_loaded(std::string_view id, const std::vector<SlotSpec>& before, std::string_view scale, size_t scale_dims,
                    std::string_view kind) {
  if (std::ranges::any_of(before, [](const SlotSpec& slot) { return slot.alias_of.has_value(); }))
    return refused(id, "cannot replace tensors that are tied or views");
  const SlotSpec *weight = find_slot(before, weight_name), *scales = find_slot(before, scale);
  if (weight && weight->dtype == DType::e4m3 && weight->shape.size() == 2 && scales && scales->shape.size() == scale_dims) return {};
  return refused(id, fmt::format("needs a weight in e4m3 with {}, as scaled_column_parallel_linear, scaled_row_parallel_linear and "
                                 "scaled_replicated_linear have with scales: {}",
                                 scale, kind));
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
          .check = [](const std::vector<SlotSpec>& before) { return check_loaded(per_tensor_id, before, scale_name, 1, "tensor"); },
          .value_bytes = [](const std::vector<SlotSpec>& before) { return numel(weight_of(before).shape) * dtype_size(DType::f32); }};
}

QuantInfo loaded_fp8_block() {
  return {.id = block_id,
          .about = "a loaded e4m3 weight, padded to blocks of 128×128",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<LoadedFp8Block>(); },
          .results = block_results,
          .extra_bytes = block_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != weight_name; },
          .permutation = identity_permutation,
          .check = [](const std::vector<SlotSpec>& before) { return check_loaded(block_id, before, block_scale_name, 2, "block"); },
          .value_bytes =
              [](const std::vector<SlotSpec>& before) { return numel(padded_shape(weight_of(before).shape)) * dtype_size(DType::f32); }};
}

}  // namespace reloadlab::model
