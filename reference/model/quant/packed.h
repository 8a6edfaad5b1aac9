#pragma once
// Integers of 4 bits packed into i32, as compressed-tensors stores them ("pack-quantized") and as Marlin kernels read them.
//
// Stored: eight neighbours along a dimension share a word, the first in its lowest bits. A code is the integer + 8, so 0 … 15.
//
//   weight_packed      [n, k/8]     codes of the weight, packed along k
//   weight_zero_point  [n/8, k/g]   codes of the zero points, packed along n
//
// Tiled, for tensor cores: word [k/16, n/64 · 128 + 16 · c + 4 · r + j] of a weight [k/16, 2n] has, in nibble 4 · l + 2 · b + h, the code
// of row 16 · (k/16) + 8 · h + 2 · r + l of the transposed weight and its column 64 · (n/64) + 16 · j + 8 · b + c. So one lane (c, r) of a
// warp finds what it multiplies in m16n8k16 fragments in words beside one another. Zero points [k/g, n/8] and scales [k/g, n] have their
// columns in the same order. Formulas: get_weight_perm and marlin_permute_weights
// (vllm/model_executor/layers/quantization/utils/marlin_utils_test.py), marlin_permute_scales and marlin_zero_points (…/marlin_utils.py).
//
// Functions that make tensors for a step have no temporaries larger than what they return. Words are little-endian.
#include <ATen/core/Tensor.h>

namespace reloadlab::model {

inline constexpr int64_t codes_per_word = 8, code_of_zero = 8, code_largest = 15, tile_rows = 16, tile_columns = 64;

at::Tensor unpacked_columns(const at::Tensor& words);  // [n, k/8] to codes u8 [n, k]
at::Tensor unpacked_rows(const at::Tensor& words);     // [n/8, m] to codes u8 [n, m]

// Codes and scales as a loaded layer has them, [n, …], to what kernels read. REQUIRES whole tiles.
at::Tensor tiled_weight(const at::Tensor& codes);
at::Tensor tiled_zero_points(const at::Tensor& codes);
at::Tensor tiled_scales(const at::Tensor& scales);
// And back; these take what memory they like.
at::Tensor weight_of_tiles(const at::Tensor& words);
at::Tensor zero_points_of_tiles(const at::Tensor& words);
at::Tensor scales_of_tiles(const at::Tensor& tiled);

// (code - zero) · scale in single precision, of a weight [n, k] with a scale and a zero point for a group; no zero points: 8.
at::Tensor dequantized(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& zero_points);

}  // namespace reloadlab::model
