#pragma once
// A part of a tensor, worked out in numbers and made as one tensor. ATen's narrow() and select() each take three calls of its dispatcher;
// loaders run once for every tensor of a checkpoint.
#include <ATen/core/Tensor.h>

namespace reloadlab::model {

// A tensor of the owner's storage, device and dispatch keys. It carries no gradient. REQUIRES a storage long enough.
at::Tensor tensor_over(const at::Tensor& owner, at::ScalarType dtype, at::IntArrayRef sizes, at::IntArrayRef strides, int64_t offset);

// REQUIRES that the whole outlives it.
class Part {
 public:
  explicit Part(const at::Tensor& whole);
  // Both throw where the whole does not reach that far.
  Part& narrow(int64_t dim, int64_t start, int64_t length);
  Part& select(int64_t dim, int64_t index);
  int64_t dims() const { return static_cast<int64_t>(sizes_.size()); }
  int64_t size(int64_t dim) const { return sizes_.at(static_cast<size_t>(dim)); }
  at::Tensor tensor() const;  // the whole itself where nothing was left out

 private:
  const at::Tensor& whole_;
  at::DimVector sizes_, strides_;
  int64_t offset_;
};

}  // namespace reloadlab::model
