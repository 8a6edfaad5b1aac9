// 8-bit floats (e4m3, largest 448) with one scale a tensor, a row, or a block: symmetric methods, scaled.h. Names of the scales and layouts
// are those of engines: kernels for one scale take the weight transposed; block scales are "inverse", as they multiply when computing.
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod per_tensor{.id = "fp8_per_tensor",
                                  .about = "the weight as e4m3 in transposed layout with one scale, a parameter made beside it",
                                  .transposed = true,
                                  .scale_name = "weight_scale",
                                  .scale_class = "PerTensorScaleParameter"};
constexpr ScaledMethod per_channel{.id = "fp8_per_channel",
                                   .about = "the weight as e4m3 with a scale a row, in a parameter made beside it",
                                   .box_rows = 1,
                                   .scale_name = "weight_scale",
                                   .scale_class = "ChannelQuantScaleParameter"};
constexpr ScaledMethod in_blocks{
    .id = "fp8_block",
    .about = "the weight as e4m3, padded to blocks of 128×128, with a scale a block in a parameter made beside it",
    .box_rows = 128,
    .box_columns = 128,
    .scale_name = "weight_scale_inv",
    .scale_class = "BlockQuantScaleParameter"};

}  // namespace

QuantInfo fp8_per_tensor() { return weight_info<per_tensor>(); }
QuantInfo fp8_per_channel() { return weight_info<per_channel>(); }
QuantInfo fp8_block() { return weight_info<in_blocks>(); }

}  // namespace reloadlab::model
