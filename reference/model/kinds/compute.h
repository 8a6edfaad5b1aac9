#pragma once
// What forwards share. Everything is computed in float32 (float64 for float64 layers), so that a partial sum's rounding does not
// depend on the layer's dtype.
#include <ATen/core/Tensor.h>

#include "reference/model/layer.h"

namespace reloadlab::model {

at::Tensor compute_copy(const at::Tensor& tensor);
// The slot's tensor. Throws c10::Error, as operators do, where a reload has taken it away.
const at::Tensor& held(const Layer& layer, std::string_view slot);
// What the slot stands for in checkpoint layout, whatever the quantization method made of it, ready to compute with.
at::Tensor logical(const Layer& layer, std::string_view slot);
// input @ weight[:, :input.size(-1)].T (+ bias): padded columns meet no input.
at::Tensor apply_linear(const Layer& layer, const at::Tensor& input, bool with_bias);
// Values k/16, -8 <= k < 8, drawn from the seed.
at::Tensor example_values(at::IntArrayRef shape, uint64_t seed);
at::Tensor example_indices(int64_t count, int64_t bound, uint64_t seed);

}  // namespace reloadlab::model
