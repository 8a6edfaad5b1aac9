#pragma once
// The arithmetic of quantization methods' post-load steps as plain ATen expressions, which allocate as they please: what somebody writes
// who has no kernels. In the element types of the methods, with their scales and zero points, and with the order of kernels where a step
// is nothing but that order. They share no code with the methods, and what they make is compared with what the methods make.
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace reloadlab::bench {

using Loaded = std::map<std::string, at::Tensor, std::less<>>;

// What becomes of a slot: the kernel's tensor, or where there is a scale codes in the order of the checkpoint, which stand for
// (code - zero) · scale + offset.
struct Outcome {
  std::string slot;
  at::Tensor tensor, scale = {}, zero = {}, offset = {};
};
using Outcomes = std::vector<Outcome>;
using Expression = std::function<Outcomes(const Loaded&)>;

// Boxes of rows × columns (0: as many as there are) with a scale each.
struct Cut {
  int64_t rows, columns;
  double largest;
  at::ScalarType result;
};
Expression symmetric(Cut cut);
Expression symmetric_experts(Cut cut, bool swapped);  // boxes of a part of an expert, or of all of an expert
Expression torchao_int8(int64_t group);               // 0: all
Expression torchao_int4(int64_t group);
Expression groups_with_zero_points(int64_t group);
Expression expert_groups_with_zero_points(int64_t group);
Outcomes packed_again(const Loaded& loaded);
Outcomes packed_experts_again(const Loaded& loaded);
Outcomes larger_scale_of_halves(const Loaded& loaded);
Outcomes largest_scale_of_parts(const Loaded& loaded);
Outcomes padded_to_blocks(const Loaded& loaded);
Outcomes exchanged_halves(const Loaded& loaded);
Outcomes interleaved_rows(const Loaded& loaded);
Outcomes reversed_rows(const Loaded& loaded);

// Whole tensors in single precision.
at::Tensor value_of(const Outcome& outcome);

}  // namespace reloadlab::bench
