#pragma once
// Symmetric quantization with scales, one row of a table a method. The layer's `weight` [n, k], in f32 or bf16, is cut into boxes of
// rows × columns; a box is quantized with a scale of its own. In single precision, for the box that holds element [i, j]:
//
//   scale          = max |weight of the box| / largest, and 1 where that is zero
//   weight'[i, j]  = weight[i, j] / scale, clamped to ±largest, to the nearest value of `result`, ties to even
//
// A box with an infinite or undefined element has that as its scale. What is no number after the division is 0x7f in 8-bit floats, and
// 0 in integers, which have nothing else to say it with. Where boxes do not divide the weight it is padded to whole boxes with zeros,
// which change no scale.
//
// The step replaces the handle of `weight` and registers the parameter `scale_name`: f32, [1] where one box is the whole weight, and
// [boxes down, boxes across] otherwise. Many weights give the same bytes: the step cannot be undone. Peak beside the old weight: the
// weight in single precision, and either the scales with what they are worked out with, or the scales and the result.
//
// Where a forward computes, compute_value() gives weight' × scale, without padding.
#include "reference/model/quant/weight.h"

namespace reloadlab::model {

struct ScaledMethod {
  std::string_view id;
  std::string_view about;
  DType result = DType::e4m3;
  double largest = 448;
  int64_t box_rows = 0, box_columns = 0;  // 0: as many as there are
  bool transposed = false;                // the kernel's weight is [k, n], dense
  std::string_view scale_name;
  std::string_view scale_class;  // tensor class of the scale

  bool whole() const { return box_rows == 0 && box_columns == 0; }
};

// What weight_info() wants of a method.
std::shared_ptr<QuantMethod> make_step(const ScaledMethod& method);  // keeps a reference
std::vector<SlotSpec> results(const ScaledMethod& method, const std::vector<SlotSpec>& before);
int64_t extra_bytes(const ScaledMethod& method, const std::vector<SlotSpec>& before);
int64_t value_bytes(const ScaledMethod& method, const std::vector<SlotSpec>& before);
std::span<const std::string_view> made_names(const ScaledMethod& method);
Status check(const ScaledMethod& method, const std::vector<SlotSpec>& before);

}  // namespace reloadlab::model
