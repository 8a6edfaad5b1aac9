// Integers of 8 bits with a scale a row: a symmetric method, scaled.h says its arithmetic, with a row as the box.
//
//   weight_scale [n, 1] = max |row| / 127        weight' [n, k], within ±127: -128 is never used
//
// The scale is that of torchao 0.16.0 (choose_qparams_affine in torchao/quantization/quant_primitives.py, symmetric, -127 … 127), the rest
// that of compressed-tensors 0.20.0 (quantize in quantization/lifecycle/forward.py), but for the scale of a row of zeros, which is 1 here.
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod int8_channel_method{.id = "int8_per_channel",
                                           .about = "the weight as int8 with a scale a row, in a parameter made beside it",
                                           .result = DType::i8,
                                           .largest = 127,
                                           .box_rows = 1,
                                           .scale_name = "weight_scale",
                                           .scale_class = "ChannelQuantScaleParameter"};

}  // namespace

QuantInfo int8_per_channel() { return weight_info<int8_channel_method>(); }

}  // namespace reloadlab::model
