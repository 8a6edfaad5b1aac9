// 8-bit floats (e4m3, largest 448) with a scale for 128×128: a symmetric method, scaled.h says its arithmetic, with a block as the box.
//
//   weight_scale_inv [⌈n/128⌉, ⌈k/128⌉] = max |block| / 448        weight' [128⌈n/128⌉, 128⌈k/128⌉], zeros beyond the weight
//
// "Inverse", as DeepSeek-V3's checkpoints call scales that multiply when computing. The arithmetic is that of compressed-tensors 0.20.0
// (calculate_qparams in quantization/utils/helpers.py, quantize in quantization/lifecycle/forward.py, strategy "block"), but for the scale
// of a block of zeros, which is 1 here; the padding is that of DeepGEMM's per_block_cast_to_fp8.
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod fp8_block_method{
    .id = "fp8_block",
    .about = "the weight as e4m3, padded to blocks of 128×128, with a scale a block in a parameter made beside it",
    .box_rows = 128,
    .box_columns = 128,
    .scale_name = "weight_scale_inv",
    .scale_class = "BlockQuantScaleParameter"};

}  // namespace

QuantInfo fp8_block() { return weight_info<fp8_block_method>(); }

}  // namespace reloadlab::model
