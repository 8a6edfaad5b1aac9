#pragma once
// The tensors that checkpoints give out.
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <span>

#include "reference/model/spec.h"

namespace reloadlab::sim {

// Dense, on the CPU, from the allocator that is installed there: uninitialized.
at::Tensor fresh_tensor(const model::Delivery& delivery);
// REQUIRES a dense CPU tensor.
std::span<std::byte> bytes_of(const at::Tensor& tensor);

}  // namespace reloadlab::sim
