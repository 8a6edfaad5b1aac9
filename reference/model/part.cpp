#include "reference/model/part.h"

namespace reloadlab::model {

at::Tensor tensor_over(const at::Tensor& owner, at::ScalarType dtype, at::IntArrayRef sizes, at::IntArrayRef strides, int64_t offset) {
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(c10::Storage(owner.storage()), owner.unsafeGetTensorImpl()->key_set(),
                                                               c10::scalarTypeToTypeMeta(dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides, offset);
  return tensor;
}

Part::Part(const at::Tensor& whole) : whole_(whole), sizes_(whole.sizes()), strides_(whole.strides()), offset_(whole.storage_offset()) {}

Part& Part::narrow(int64_t dim, int64_t start, int64_t length) {
  TORCH_CHECK(dim >= 0 && dim < dims() && start >= 0 && length >= 0 && start + length <= size(dim), "elements ", start, " to ",
              start + length, " of dimension ", dim, " are not all in a tensor of shape ", whole_.sizes());
  sizes_[static_cast<size_t>(dim)] = length;
  offset_ += start * strides_[static_cast<size_t>(dim)];
  return *this;
}

Part& Part::select(int64_t dim, int64_t index) {
  narrow(dim, index, 1);
  sizes_.erase(sizes_.begin() + dim);
  strides_.erase(strides_.begin() + dim);
  return *this;
}

at::Tensor Part::tensor() const {
  if (whole_.sizes() == at::IntArrayRef(sizes_)) return whole_;
  return tensor_over(whole_, whole_.scalar_type(), sizes_, strides_, offset_);
}

}  // namespace reloadlab::model
