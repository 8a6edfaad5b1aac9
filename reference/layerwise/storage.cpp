#include "reference/layerwise/storage.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "reference/model/part.h"

namespace reloadlab::layerwise {
using model::tensor_over;

at::Tensor tensor_on(const at::Tensor& bytes, const at::Tensor& like) {
  return tensor_over(bytes, like.scalar_type(), like.sizes(), like.strides(), like.storage_offset());
}

at::Tensor view_on(const at::Tensor& tensor, at::IntArrayRef sizes, at::IntArrayRef strides, int64_t offset) {
  return tensor_over(tensor, tensor.scalar_type(), sizes, strides, offset);
}

at::Tensor exact_meta(const at::Tensor& like) {
  return tensor_on(at::empty({static_cast<int64_t>(like.storage().nbytes())}, at::TensorOptions(at::kByte).device(at::kMeta)), like);
}

at::Tensor bytes_of_storage(const at::Tensor& tensor, int64_t start, int64_t length) {
  return tensor_over(tensor, at::kByte, {length}, {1}, start);
}

at::Tensor words_of_storage(const at::Tensor& tensor, int64_t word, int64_t start, int64_t length) {
  return tensor_over(tensor, word == 4 ? at::kInt : word == 2 ? at::kShort : at::kByte, {length / word}, {1}, start / word);
}

Span span_of(const at::Tensor& tensor) {
  const int64_t item = static_cast<int64_t>(tensor.itemsize());
  Span span{.begin = tensor.storage_offset() * item, .end = tensor.storage_offset() * item};
  if (tensor.numel() == 0) return span;
  span.end += item;
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) span.end += (tensor.size(dim) - 1) * tensor.stride(dim) * item;
  return span;
}

void copy_content(const at::Tensor& dst, const at::Tensor& src) {
  const at::IntArrayRef strides = dst.strides();
  const bool shares = dst.numel() > 1 && std::any_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 0; });
  if (!shares || !same_layout(dst, src)) {
    dst.copy_(src);
    return;
  }
  auto bytes = [](const at::Tensor& tensor) {
    const Span span = span_of(tensor);
    return bytes_of_storage(tensor, span.begin, span.end - span.begin);
  };
  bytes(dst).copy_(bytes(src));
}

bool same_layout(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() && a.strides() == b.strides();
}

}  // namespace reloadlab::layerwise
