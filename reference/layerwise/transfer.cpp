#include "reference/layerwise/transfer.h"

#include <ATen/ops/_foreach_copy.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

constexpr int64_t large = int64_t{8} << 20;  // bytes: from here on a copy of its own is the faster one
constexpr int64_t unit = 16;                 // bytes: what the operator moves at a time, if all tensors begin at a multiple of it
constexpr int64_t word = 4;                  // bytes: elements of this size make it move `unit`
constexpr int64_t waits_at_most = int64_t{256} << 20;
constexpr size_t tensors_at_most = 1024;

c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

bool is_plain(const at::Tensor& tensor) { return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg(); }

int64_t offset_of(const at::Tensor& tensor) { return tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize()); }

// Both lie in a row, alike, on one accelerator.
bool can_gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes) {
  if (kernel.is_cpu() || kernel.is_meta() || bytes >= large || bytes % word != 0) return false;
  return copy.from.device() == kernel.device() && copy.from.scalar_type() == copy.to.scalar_type() && is_plain(copy.from) &&
         is_plain(copy.to) && copy.from.sizes() == copy.to.sizes() && offset_of(copy.from) % unit == 0 && offset_of(copy.to) % unit == 0;
}

}  // namespace

void Transfer::add(const at::Tensor& kernel, const PlainCopy& copy) {
  const int64_t bytes = static_cast<int64_t>(copy.to.nbytes());
  if (can_gather(kernel, copy, bytes)) return gather(kernel, copy, bytes);
  tensor_on(kernel, copy.to).copy_(copy.from);
}

void Transfer::gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes) {
  const c10::Stream stream = current_stream(kernel.device());
  if (stream_ && *stream_ != stream) flush();
  stream_ = stream;
  to_.push_back(words_of_storage(kernel, offset_of(copy.to), bytes));
  from_.push_back(words_of_storage(copy.from, offset_of(copy.from), bytes));
  bytes_ += bytes;
  if (bytes_ >= waits_at_most || to_.size() >= tensors_at_most) flush();
}

void Transfer::flush() {
  if (to_.empty()) return;
  const c10::StreamGuard stream(*stream_);
  const std::vector<at::Tensor> to = std::move(to_), from = std::move(from_);
  drop();
  at::_foreach_copy_(to, from);
}

void Transfer::drop() {
  to_.clear();
  from_.clear();
  bytes_ = 0;
  stream_.reset();
}

}  // namespace reloadlab::layerwise
