// Operators that make or reshape tensors and touch no bytes. Nothing here is queued, except the move of a grown storage.
#include <ATen/EmptyTensor.h>
#include <ATen/InferSize.h>
#include <ATen/TensorUtils.h>
#include <c10/util/strides.h>
#include <torch/library.h>

#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
namespace {

using at::Tensor;
using Sizes = at::IntArrayRef;
const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);

Tensor empty(Sizes size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>, std::optional<at::Device> device,
             std::optional<bool>, std::optional<at::MemoryFormat> format) {
  c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_generic(size, &modelled_allocator(), keys, dtype.value_or(at::kFloat), format);
}

Tensor empty_strided(Sizes size, Sizes stride, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                     std::optional<at::Device> device, std::optional<bool>) {
  c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_strided_generic(size, stride, &modelled_allocator(), keys, dtype.value_or(at::kFloat));
}

// A view of the same storage.
Tensor view_of(const Tensor& self, Sizes size, Sizes stride, std::optional<int64_t> offset) {
  Tensor view = at::detail::make_tensor<at::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(self.storage()), self.key_set(), self.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride, offset.value_or(self.storage_offset()));
  return view;
}

Tensor reshape_alias(const Tensor& self, Sizes size, Sizes stride) { return view_of(self, size, stride, std::nullopt); }

Tensor view(const Tensor& self, Sizes size) {
  auto inferred = at::infer_size_dv(size, self.numel());
  auto stride = at::detail::computeStride(self.sizes(), self.strides(), inferred);
  TORCH_CHECK(stride, "view size is not compatible with input tensor's size and stride. Use .reshape(...) instead.");
  return view_of(self, inferred, *stride, std::nullopt);
}

Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step) {
  int64_t dim = at::maybe_wrap_dim(dimension, self.dim());
  std::vector<int64_t> sizes = self.sizes().vec(), strides = self.strides().vec();
  TORCH_CHECK(self.dim() > 0 && step > 0 && size <= self.size(dim), "unfold: windows of ", size, " by ", step, " do not fit");
  auto at_dim = static_cast<size_t>(dim);
  sizes.push_back(size);
  strides.push_back(strides[at_dim]);
  sizes[at_dim] = (sizes[at_dim] - size) / step + 1;
  strides[at_dim] *= step;
  return view_of(self, sizes, strides, std::nullopt);
}

Tensor& set_storage_at(Tensor& self, at::Storage source, int64_t offset, Sizes size, Sizes stride) {
  c10::DimVector contiguous = c10::contiguous_strides(size);
  Sizes strides = stride.empty() ? Sizes(contiguous) : stride;
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(source));
  self.unsafeGetTensorImpl()->set_sizes_and_strides(size, strides, offset);
  return self;
}

Tensor& set_storage(Tensor& self, at::Storage source) {
  int64_t count = static_cast<int64_t>(source.nbytes()) / static_cast<int64_t>(self.element_size());
  return set_storage_at(self, std::move(source), 0, {count}, {1});
}

Tensor& set_tensor(Tensor& self, const Tensor& source) {
  TORCH_CHECK(self.dtype() == source.dtype() && self.device() == source.device(), "set_: another dtype or device");
  return set_storage_at(self, source.storage(), source.storage_offset(), source.sizes(), source.strides());
}

Tensor& set_nothing(Tensor& self) {
  c10::DeviceGuard guard(self.device());
  at::Storage nothing(c10::Storage::use_byte_size_t(), 0, modelled_allocator().allocate(0), &modelled_allocator(), true);
  return set_storage_at(self, std::move(nothing), 0, {0}, {1});
}

// Gives the storage more bytes; those it had move there in stream order.
void grow(const at::Storage& storage, int64_t bytes, int device) {
  auto held = static_cast<int64_t>(storage.nbytes());
  at::Storage old(c10::Storage::use_byte_size_t(), held,
                  storage.unsafeGetStorageImpl()->set_data_ptr(modelled_allocator().allocate(static_cast<size_t>(bytes))), nullptr, false);
  storage.unsafeGetStorageImpl()->set_nbytes(static_cast<size_t>(bytes));
  if (held == 0) return;
  Kernel kernel{.name = "resize"};
  kernel.accesses = {{Region::bytes(Memory::block_of(old), 0, held), false}, {Region::bytes(Memory::block_of(storage), 0, held), true}};
  kernel.run = [to = storage.mutable_data(), from = old.data(), held] { std::memcpy(to, from, static_cast<size_t>(held)); };
  Machine::required().issue(stream_here(device), std::move(kernel));
}

const Tensor& resize(const Tensor& self, Sizes size, std::optional<at::MemoryFormat>) {
  if (self.sizes() == size) return self;
  c10::DeviceGuard guard(self.device());
  self.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  int64_t needed = (self.storage_offset() + self.numel()) * static_cast<int64_t>(self.element_size());
  if (self.numel() > 0 && needed > static_cast<int64_t>(self.storage().nbytes()))
    grow(self.storage(), needed, device_called(self.device().index()));
  return self;
}

bool is_set_to(const Tensor& self, const Tensor& other) {
  return self.storage().unsafeGetStorageImpl() == other.storage().unsafeGetStorageImpl() &&
         self.storage_offset() == other.storage_offset() && self.sizes() == other.sizes() && self.strides() == other.strides();
}

void record_stream(Tensor& self, c10::Stream stream) {
  Machine& machine = Machine::required();
  machine.memory().record_stream(self.storage().data_ptr(), machine.stream(device_called(stream.device_index()), stream.id()));
}

}  // namespace

void register_tensor_operators(torch::Library& aten) {
  aten.impl("empty.memory_format", &empty);
  aten.impl("empty_strided", &empty_strided);
  aten.impl("as_strided", &view_of);
  aten.impl("_reshape_alias", &reshape_alias);
  aten.impl("view", &view);
  aten.impl("unfold", &unfold);
  aten.impl("set_", &set_nothing);
  aten.impl("set_.source_Tensor", &set_tensor);
  aten.impl("set_.source_Storage", &set_storage);
  aten.impl("set_.source_Storage_storage_offset", &set_storage_at);
  aten.impl("resize_", &resize);
  aten.impl("is_set_to", &is_set_to);
  aten.impl("record_stream", &record_stream);
}

}  // namespace reloadlab::sim::modelled
