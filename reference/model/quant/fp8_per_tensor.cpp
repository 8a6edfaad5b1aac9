// 8-bit floats with one scale a tensor, as kernels want them: the weight [n, k] becomes e4m3 [k, n], dense, and beside it stands the
// parameter weight_scale, f32 [1]. In single precision:
//
//   weight_scale  = max |weight| / 448, and 1 where that is zero
//   weight[j, i]  = weight[i, j] / weight_scale, clamped to ±448, to the nearest e4m3, ties to even; NaN stays NaN
//
// Many weights give the same bytes: the step cannot be undone. A forward would need the scale too; checkpoint_layout() knows only the
// tensor and leaves it out. Peak beside the old weight: the scale, and n·k elements in single precision with their results; for a
// weight of a few elements, what the scale is worked out with: its extremes, and the zero that it is compared with.
#include <ATen/ops/aminmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/maximum.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view source = "weight";
constexpr std::string_view scale_name = "weight_scale";
constexpr double largest = 448;

at::Tensor scale_of(const at::Tensor& weight) {
  at::Tensor scale = at::empty({1}, weight.options().dtype(at::kFloat));
  at::Tensor low = at::empty({}, weight.options()), high = at::empty({}, weight.options());
  at::aminmax_out(low, high, weight);
  at::maximum_out(high, high, low.neg_());
  scale.copy_(high).div_(largest);
  return scale.masked_fill_(scale.eq(0), 1);
}

at::Tensor quantized(const at::Tensor& weight, const at::Tensor& scale) {
  at::Tensor single = at::empty(weight.sizes(), scale.options());
  single.copy_(weight).div_(scale).clamp_(-largest, largest);
  at::Tensor kernel = at::empty({weight.size(1), weight.size(0)}, weight.options().dtype(at::kFloat8_e4m3fn));
  return kernel.copy_(single.t());
}

class Fp8PerTensor final : public QuantMethod {
 public:
  std::string_view id() const override { return "fp8_per_tensor"; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == source ? processed.t() : processed;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(source);  // alive to the end of the step
    auto scale = std::make_shared<Parameter>();
    scale->tensor = scale_of(old->tensor);
    scale->tensor_class = "PerTensorScaleParameter";
    auto replacement = std::make_shared<Parameter>(*old);
    replacement->tensor = quantized(old->tensor, scale->tensor);
    layer.assign(source, replacement);
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(scale_name, scale);
    return {};
  }
};

const SlotSpec& weight_of(const std::vector<SlotSpec>& slots) { return *std::ranges::find(slots, source, &SlotSpec::name); }

// The scale stands behind the parameters that were there.
std::vector<SlotSpec> results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  SlotSpec& weight = *std::ranges::find(after, source, &SlotSpec::name);
  std::swap(weight.shape[0], weight.shape[1]);
  weight.dtype = DType::e4m3;
  const auto buffers = std::ranges::find(after, SlotSpec::Kind::buffer, &SlotSpec::kind);
  after.insert(buffers, {.name = std::string(scale_name), .shape = {1}, .dtype = DType::f32});
  return after;
}

int64_t extra_bytes(const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  constexpr int64_t zero_and_its_comparison = 13, scale = 4, single_and_result = 5;
  return scale + std::max(2 * dtype_size(weight.dtype) + zero_and_its_comparison, numel(weight.shape) * single_and_result);
}

std::vector<int64_t> permutation(const SlotSpec& slot) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < numel(slot.shape); ++i) all.push_back(i);
  return all;
}

Status check(const std::vector<SlotSpec>& before) {
  const auto refuse = [](std::string_view what) { return Status(Code::data, fmt::format("quantization fp8_per_tensor {}", what)); };
  const SlotSpec* weight = nullptr;
  for (const SlotSpec& slot : before) {
    if (slot.alias_of) return refuse("cannot replace tensors that are tied or views");
    if (slot.name == scale_name) return refuse("makes a tensor called weight_scale, and the layer has one");
    if (slot.name == source) weight = &slot;
  }
  if (!weight) return refuse("needs a tensor called weight");
  if (weight->shape.size() != 2 || !weight->strides.empty()) return refuse("needs a dense weight of two dimensions");
  if (weight->dtype != DType::f32 && weight->dtype != DType::bf16) return refuse("needs a weight in f32 or bf16");
  return {};
}

}  // namespace

QuantInfo fp8_per_tensor() {
  return {.id = "fp8_per_tensor",
          .about = "the weight as e4m3 in transposed layout with one scale, a parameter made beside it",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<Fp8PerTensor>(); },
          .results = results,
          .extra_bytes = extra_bytes,
          .permutes = [](std::string_view slot) { return slot != source && slot != scale_name; },
          .permutation = permutation,
          .check = check};
}

}  // namespace reloadlab::model
