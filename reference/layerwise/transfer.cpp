#include "reference/layerwise/transfer.h"

#include <ATen/ops/_foreach_copy.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

constexpr int64_t large = int64_t{8} << 20;  // bytes: from here on a copy of its own is the faster one
constexpr int64_t waits_at_most = int64_t{256} << 20;
constexpr size_t tensors_at_most = 1024;

c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

bool is_plain(const at::Tensor& tensor) { return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg(); }

int64_t offset_of(const at::Tensor& tensor) { return tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize()); }

// Both lie in a row, alike, on one accelerator.
bool can_gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes) {
  if (kernel.is_cpu() || kernel.is_meta() || bytes >= large) return false;
  return copy.from.device() == kernel.device() && copy.from.scalar_type() == copy.to.scalar_type() && is_plain(copy.from) &&
         is_plain(copy.to) && copy.from.sizes() == copy.to.sizes();
}

// The largest words, as a power of two, that the copy is made of. Storages that others have allocated may begin anywhere.
size_t word_of(const at::Tensor& to, int64_t to_offset, const at::Tensor& from, int64_t from_offset, int64_t bytes) {
  const auto begin = [](const at::Tensor& tensor) { return reinterpret_cast<uintptr_t>(tensor.storage().data()); };
  const uintptr_t all = begin(to) | begin(from) | static_cast<uintptr_t>(to_offset | from_offset | bytes);
  return all % 4 == 0 ? 2 : all % 2 == 0 ? 1 : 0;
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
  const int64_t to = offset_of(copy.to), from = offset_of(copy.from);
  const size_t power = word_of(kernel, to, copy.from, from, bytes);
  gathered_[power].to.push_back(words_of_storage(kernel, int64_t{1} << power, to, bytes));
  gathered_[power].from.push_back(words_of_storage(copy.from, int64_t{1} << power, from, bytes));
  bytes_ += bytes;
  if (bytes_ >= waits_at_most || ++count_ >= tensors_at_most) flush();
}

void Transfer::flush() {
  if (!stream_) return;
  const c10::StreamGuard stream(*stream_);
  const std::array<Gathered, 3> all = std::move(gathered_);
  drop();
  for (const Gathered& words : all)
    if (!words.to.empty()) at::_foreach_copy_(words.to, words.from);
}

void Transfer::drop() {
  gathered_ = {};
  bytes_ = 0;
  count_ = 0;
  stream_.reset();
}

}  // namespace reloadlab::layerwise
