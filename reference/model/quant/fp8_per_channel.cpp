// 8-bit floats (e4m3, largest 448) with a scale a row: a symmetric method, scaled.h says its arithmetic, with a row as the box.
//
//   weight_scale [n, 1] = max |row| / 448        weight' [n, k]
//
// The arithmetic is that of compressed-tensors 0.20.0 (calculate_qparams in quantization/utils/helpers.py, quantize in
// quantization/lifecycle/forward.py, strategy "channel"), but for the scale of a row of zeros, which is 1 here.
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod fp8_channel_method{.id = "fp8_per_channel",
                                          .about = "the weight as e4m3 with a scale a row, in a parameter made beside it",
                                          .box_rows = 1,
                                          .scale_name = "weight_scale",
                                          .scale_class = "ChannelQuantScaleParameter"};

}  // namespace

QuantInfo fp8_per_channel() { return weight_info<fp8_channel_method>(); }

}  // namespace reloadlab::model
