#include "sim/checkpoint/fresh.h"

#include <ATen/ops/empty.h>

#include "reference/model/layer.h"

namespace reloadlab::sim {

at::Tensor fresh_tensor(const model::Delivery& delivery) {
  return at::empty(delivery.shape, at::TensorOptions().dtype(model::to_torch(delivery.dtype)).device(at::kCPU));
}

std::span<std::byte> bytes_of(const at::Tensor& tensor) { return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()}; }

}  // namespace reloadlab::sim
