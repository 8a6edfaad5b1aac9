// 8-bit floats of fused experts, online, with a scale for each 128×128 of a part: scaled_experts.h. Shapes and names of the scales are
// those of DeepSeek-V3's checkpoints, stacked.
//
//   scale[e, i, j] = max |block| / 448, and 1 where that is zero     weight'[e] = block / scale[e, i, j], to the nearest e4m3, ties to even
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled_experts.h"

namespace reloadlab::model {
namespace {

constexpr ScaledExperts experts_block_method{"experts_fp8_block", "fused experts as e4m3 with a scale a block of 128×128", 128, false};
constexpr ScaledExperts experts_block_swapped{"experts_fp8_block_w31",
                                              "the same as experts_fp8_block, up projections and their scales above gates", 128, true};

}  // namespace

QuantInfo experts_fp8_block() { return weight_info<experts_block_method>(); }
QuantInfo experts_fp8_block_w31() { return weight_info<experts_block_swapped>(); }

}  // namespace reloadlab::model
