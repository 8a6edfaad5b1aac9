// 8-bit floats (e4m3, largest 448) that a checkpoint brings with a scale for each 128×128, as DeepSeek-V3's. Kernels take whole blocks, so
// the weight [n, k] is padded with zeros to [128⌈n/128⌉, 128⌈k/128⌉] under a new handle; where nothing is to pad, nothing is done. Scales
// stay, and no value changes. Peak beside the old weight: the new one.
//
// Forwards compute with weight · scale (weight_dequant in the inference/kernel.py that came with DeepSeek-V3), without padding.
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/loaded_fp8.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view block_id = "loaded_fp8_block";
constexpr std::string_view block_scale_name = "weight_scale_inv";
constexpr int64_t block = 128;

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

}  // namespace

QuantInfo loaded_fp8_block() {
  return {.id = block_id,
          .about = "a loaded e4m3 weight, padded to blocks of 128×128",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<LoadedFp8Block>(); },
          .results = block_results,
          .extra_bytes = block_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != weight_name; },
          .permutation = identity_permutation,
          .check = [](const std::vector<SlotSpec>& before) { return check_loaded_fp8(block_id, before, block_scale_name, 2, "block"); },
          .value_bytes =
              [](const std::vector<SlotSpec>& before) { return numel(padded_shape(weight_of(before).shape)) * dtype_size(DType::f32); }};
}
}  // namespace reloadlab::model
