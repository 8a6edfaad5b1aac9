#include "reference/shared_series/strides.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace reloadlab::shared_series {
namespace {

bool same_memory(const at::Tensor& one, const at::Tensor& other) {
  return one.unsafeGetTensorImpl()->unsafe_storage().is_alias_of(other.unsafeGetTensorImpl()->unsafe_storage()) &&
         one.storage_offset() == other.storage_offset();
}

}  // namespace

Strided strided(const at::Tensor& tensor) {
  return {tensor.scalar_type(), c10::DimVector(tensor.sizes()), c10::DimVector(tensor.strides()), tensor.device()};
}

std::string describe(const Strided& strided) {
  return fmt::format("{} [{}] by [{}]", c10::toString(strided.dtype), fmt::join(strided.sizes, ", "), fmt::join(strided.strides, ", "));
}

at::Tensor make(const Strided& strided) {
  return at::empty_strided(strided.sizes, strided.strides, at::TensorOptions(strided.dtype).device(strided.device));
}

at::Tensor make_on(c10::Device device, Strided strided) {
  strided.device = device;
  return make(strided);
}

// Not all communicators know 8-bit floats; as bytes they need not.
at::Tensor on_the_wire(const at::Tensor& tensor) {
  at::Tensor flat = tensor.is_contiguous() ? tensor : tensor.as_strided({tensor.numel()}, {1}, tensor.storage_offset());
  return c10::isFloat8Type(tensor.scalar_type()) ? flat.view(at::kByte) : flat;
}

bool is_wire_of(const at::Tensor& wire, const at::Tensor& tensor) {
  return wire.is_same(tensor) || (!tensor.is_contiguous() && same_memory(wire, tensor)) ||
         (c10::isFloat8Type(tensor.scalar_type()) && same_memory(wire, tensor));
}

void dispose(at::Tensor& weight) { weight.set_(at::empty({1}, weight.options())); }

void become(at::Tensor& weight, const at::Tensor& memory) {
  if (!same_memory(weight, memory) || weight.sizes() != memory.sizes()) weight.set_(memory);
}

}  // namespace reloadlab::shared_series
