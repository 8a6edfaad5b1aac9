#pragma once
// Scales of parts and of boxes, applied.
#include "reference/model/layer.h"

namespace reloadlab::model {

// Rows of each part on the layer's rank; a layer without the key `outs` is one part.
std::vector<int64_t> part_rows(const Layer& layer, int64_t rows);
// Multiplies, in place, the rows of each part with the part's scale. One scale is for all.
at::Tensor& scale_parts(at::Tensor& single, const at::Tensor& scales, const Layer& layer);
// Multiplies, in place, each box of `box` rows and columns with its scale; boxes at the edges may be smaller.
at::Tensor& scale_boxes(at::Tensor& single, const at::Tensor& scales, int64_t box);

}  // namespace reloadlab::model
