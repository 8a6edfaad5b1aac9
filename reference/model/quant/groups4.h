#pragma once
// Integers of 4 bits in groups with zero points, made from a high-precision weight [n, k] as compressed-tensors 0.20.0 makes them
// (calculate_qparams in quantization/utils/helpers.py, quantize in quantization/lifecycle/forward.py, asymmetric integers of 4 bits). Every
// operation is done, and rounded, in the weight's own element type. With g the group, for weight[i, j·g … (j+1)·g), and least and most
// the smallest and the largest of it and 0:
//
//   scale[i, j] = (most - least) / 15, and the smallest step of the type at 1 where that is zero
//   zero[i, j]  = -8 - least / scale, clamped to -8 … 7, to the nearest integer, ties to even   (with the scale before it is replaced)
//   q[i, l]     = weight[i, l] / scale + zero, clamped to -8 … 7, to the nearest integer, ties to even
//
// What is no number is 0, so that the code of zeros is 8. A code is the integer + 8.
#include <ATen/core/Tensor.h>

namespace reloadlab::model {

struct Groups4 {
  at::Tensor least, scale, zero;  // [n, k/g] each, in the weight's type
};

Groups4 groups_of(const at::Tensor& weight, int64_t groups);
at::Tensor codes_of(const at::Tensor& weight, const Groups4& with);  // u8 [n, k]; takes a copy of the weight beside it
at::Tensor as_codes(const at::Tensor& integers);                     // u8, of the same numbers

}  // namespace reloadlab::model
