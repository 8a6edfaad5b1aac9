// Integers of 8 bits, weight-only, as torchao 0.16.0 makes them online from a high-precision weight [n, k]: one scale a row
// (Int8WeightOnlyConfig, version 2: Int8Tensor.from_hp) or one a group of elements along k (version 1 with a group_size). Both go through
// choose_qparams_affine and quantize_affine (torchao/quantization/quant_primitives.py), whose every operation is done, and rounded, in the
// weight's own element type. With g the group, or k:
//
//   scale[i, j]   = max(-min, max) / 127.5 of weight[i, j·g … (j+1)·g), and at least 2⁻²³
//   weight'[i, l] = weight[i, l] · (1 / scale[i, l / g]), to the nearest integer, ties to even, clamped to -128 … 127
//
// The largest of a group meets ±127.5, so that it becomes 127 or -128. What is no number after the product is 0. Version 1 also keeps zero
// points, which are all zero.
//
// The step replaces the handle of `weight` (i8 [n, k]) and registers `weight_scale` (the weight's type, [n, k/g]) and, with groups,
// `weight_zero_point` (i64 [n, k/g]). Peak beside the old weight: the result and the scale, and either a working copy of the weight with
// the inverse scales, or the zero points. Forwards compute with weight' · scale.
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/reciprocal.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view int8_scale_name = "weight_scale";
constexpr std::string_view zero_name = "weight_zero_point";
constexpr double int8_scale_least = 0x1p-23;  // the smallest step of f32 at 1, whatever the weight's type

struct Int8Method {
  std::string_view id;
  std::string_view about;
  int64_t group;  // elements along k that share a scale; 0: all
  bool keeps_zero_points() const { return group > 0; }
  int64_t groups(int64_t k) const { return group > 0 ? k / group : 1; }
};

constexpr Int8Method per_row{"int8_weight_only",
                             "the weight as int8 with a scale a row in the weight's type, torchao's Int8WeightOnlyConfig", 0};
constexpr Int8Method int8_in_32{"int8_weight_only_g32",
                                "the same with a scale and a zero point (of zero) for 32 elements along the inputs: group_size=32", 32};

at::Tensor int8_scale_of(const at::Tensor& weight, int64_t groups, at::Tensor& scratch) {
  at::Tensor scale = at::empty({weight.size(0), groups}, weight.options());
  scratch = at::empty_like(scale);
  at::amin_out(scratch, in_groups(weight, groups), {2});
  at::amax_out(scale, in_groups(weight, groups), {2});
  at::maximum_out(scale, scale, scratch.neg_());
  return scale.div_(127.5).clamp_min_(int8_scale_least);
}

at::Tensor int8_quantized(const at::Tensor& weight, const at::Tensor& inverse) {
  at::Tensor working = at::empty_like(weight), in_working = in_groups(working, inverse.size(1));
  at::mul_out(in_working, in_groups(weight, inverse.size(1)), inverse.unsqueeze(2));
  numbers_only(working.round_().clamp_(-128, 127));
  return at::empty(working.sizes(), working.options().dtype(at::kChar)).copy_(working);
}

class Int8WeightOnly final : public QuantMethod {
 public:
  explicit Int8WeightOnly(const Int8Method& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& value = held(layer, slot);
    if (slot != weight_name) return value;
    const at::Tensor& scale = held(layer, int8_scale_name);
    at::Tensor single = value.to(at::kFloat);
    in_groups(single, scale.size(1)).mul_(scale.unsqueeze(2));
    return single;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(weight_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 2) return Status(Code::failed, fmt::format("layer {} has no weight of two dimensions", layer.path()));
    at::Tensor scratch;
    const at::Tensor scale = int8_scale_of(old->tensor, method_.groups(old->tensor.size(1)), scratch);
    layer.assign(weight_name, replacement_of(old, int8_quantized(old->tensor, at::reciprocal_out(scratch, scale))));
    scratch.reset();
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(int8_scale_name, made_parameter(scale));
    if (method_.keeps_zero_points())
      layer.assign(zero_name, made_parameter(at::empty(scale.sizes(), scale.options().dtype(at::kLong)).zero_()));
    return {};
  }

 private:
  const Int8Method& method_;
};

std::shared_ptr<QuantMethod> make_step(const Int8Method& method) { return std::make_shared<Int8WeightOnly>(method); }

std::vector<SlotSpec> results(const Int8Method& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const Shape per_group{weight.shape[0], method.groups(weight.shape[1])};
  std::vector<SlotSpec> made{{.name = std::string(int8_scale_name), .shape = per_group, .dtype = weight.dtype}};
  if (method.keeps_zero_points()) made.push_back({.name = std::string(zero_name), .shape = per_group, .dtype = DType::i64});
  return with_weight(before, weight.shape, DType::i8, made);
}

int64_t extra_bytes(const Int8Method& method, const std::vector<SlotSpec>& before) {
  const SlotSpec& weight = weight_of(before);
  const int64_t elements = numel(weight.shape), element = dtype_size(weight.dtype);
  const int64_t scales = weight.shape[0] * method.groups(weight.shape[1]);
  const int64_t working = (elements + scales) * element, zero_points = method.keeps_zero_points() ? scales * dtype_size(DType::i64) : 0;
  const int64_t divisor = dtype_size(DType::f64) + element;  // 127.5, and the same in the weight's type: more than a tiny weight itself
  return scales * element + std::max(elements + std::max(working, zero_points), scales * element + divisor);
}

std::span<const std::string_view> made_names(const Int8Method& method) {
  static constexpr std::string_view names[] = {int8_scale_name, zero_name};
  return std::span(names).first(method.keeps_zero_points() ? 2 : 1);
}

Status check(const Int8Method& method, const std::vector<SlotSpec>& before) {
  RELOADLAB_TRY(check_weight(method.id, before, made_names(method)));
  const int64_t k = weight_of(before).shape[1];
  if (method.group == 0 || k % method.group == 0) return {};
  return refused(method.id, fmt::format("needs groups of {} inputs, and the weight has {}", method.group, k));
}

}  // namespace

QuantInfo int8_weight_only() { return weight_info<per_row>(); }
QuantInfo int8_weight_only_g32() { return weight_info<int8_in_32>(); }

}  // namespace reloadlab::model
