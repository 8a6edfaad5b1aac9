#include "reference/model/kinds/compute.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/util/Exception.h>

#include "reference/base/prng.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {

at::Tensor compute_copy(const at::Tensor& tensor) { return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat); }

const at::Tensor& held(const Layer& layer, std::string_view slot) {
  const ParameterPtr handle = layer.tensor(slot);
  TORCH_CHECK(handle, "layer ", layer.path(), " has no tensor ", slot);
  return handle->tensor;
}

at::Tensor logical(const Layer& layer, std::string_view slot) {
  // A method may have the value under another name.
  return compute_copy(layer.quant_method ? layer.quant_method->compute_value(layer, slot) : held(layer, slot));
}

at::Tensor apply_linear(const Layer& layer, const at::Tensor& input, bool with_bias) {
  at::Tensor weight = logical(layer, "weight");
  if (weight.size(1) != input.size(-1)) weight = weight.narrow(1, 0, input.size(-1));
  const at::Tensor x = input.to(weight.scalar_type());
  return with_bias ? at::linear(x, weight, logical(layer, "bias")) : at::linear(x, weight);
}

at::Tensor example_values(at::IntArrayRef shape, uint64_t seed) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Prng prng(seed);
  float* data = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) data[i] = (static_cast<float>(prng.below(16)) - 8) / 16;
  return values;
}

at::Tensor example_indices(int64_t count, int64_t bound, uint64_t seed) {
  at::Tensor indices = at::empty({count}, at::kLong);
  Prng prng(seed);
  int64_t* data = indices.data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i) data[i] = static_cast<int64_t>(prng.below(static_cast<uint64_t>(bound)));
  return indices;
}

}  // namespace reloadlab::model
