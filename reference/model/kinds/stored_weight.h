#pragma once
// What kinds share whose checkpoints bring weights that are quantized already: what the stored numbers stand for, with `scales: tensor`, a
// channel or a block, and packed.
#include <ATen/core/Tensor.h>

#include "reference/model/layer.h"

namespace reloadlab::model {

inline constexpr int64_t scale_block = 128;  // rows and columns that share a scale with `scales: block`
constexpr int64_t scale_blocks(int64_t length) { return (length + scale_block - 1) / scale_block; }

KeyInfo scales_key(std::string_view about);
Status check_scaled_dtype(const LayerSpec& spec);  // 8 bits
// weight · scale, in single precision, of a layer whose post-load step, if any, left both as they were.
at::Tensor scaled_weight(const Layer& layer, std::string_view scale_name);
// (code - zero) · scale, or what the layer's quantization method made of it.
at::Tensor packed_weight(const Layer& layer);

}  // namespace reloadlab::model
