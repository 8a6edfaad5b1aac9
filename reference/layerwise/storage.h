#pragma once
// Tensors over storages: the same layout on another storage, and everything of a storage as bytes.
#include <ATen/core/Tensor.h>

namespace reloadlab::layerwise {

// A tensor with like's dtype, sizes, strides and offset on the storage of `bytes`. REQUIRES a storage long enough.
at::Tensor tensor_on(const at::Tensor& bytes, const at::Tensor& like);
// The same layout on a meta storage of its own.
at::Tensor exact_meta(const at::Tensor& like);
// Elements of the tensor's storage.
at::Tensor view_on(const at::Tensor& tensor, at::IntArrayRef sizes, at::IntArrayRef strides, int64_t offset);
// `length` bytes of the tensor's storage from `start`, as a flat tensor of bytes.
at::Tensor bytes_of_storage(const at::Tensor& tensor, int64_t start, int64_t length);
// The same as words of 1, 2 or 4 bytes each. REQUIRES multiples of that.
at::Tensor words_of_storage(const at::Tensor& tensor, int64_t word, int64_t start, int64_t length);
// First byte that the tensor uses of its storage, and the one after the last.
struct Span {
  int64_t begin = 0, end = 0;
};
Span span_of(const at::Tensor& tensor);
// Copies src into dst, also where dst's elements share bytes (an expanded constant), if both have one layout.
void copy_content(const at::Tensor& dst, const at::Tensor& src);
bool same_layout(const at::Tensor& a, const at::Tensor& b);  // dtype, sizes, strides

}  // namespace reloadlab::layerwise
