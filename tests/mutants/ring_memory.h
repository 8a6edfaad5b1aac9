#pragma once
// Tensors of the plain series, and the memory that they are given.
#include <ATen/core/Tensor.h>

namespace reloadlab::mutants {

// All its bytes in the order of memory. REQUIRES memory without gaps.
at::Tensor flat(const at::Tensor& tensor);
// One element is left.
void dispose(at::Tensor& tensor);
void become(at::Tensor& tensor, const at::Tensor& memory);

}  // namespace reloadlab::mutants
