#include "sim/replay/transport.h"

#include <ATen/ATen.h>

#include <cstring>

#include "reference/model/layer.h"
#include "sim/world/account.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t alignment = 64;
constexpr int scribble_byte = 0x5A;
// Loaders may read small tensors on the host (scales, shapes), so these have bytes in every world.
constexpr int64_t small_numel = 64;

int64_t padded(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

Transport::Transport(const Catalogue& catalogue, std::vector<Sent> sent, const Checkpoint& source, bool chunked, bool with_bytes)
    : catalogue_(catalogue), sent_(std::move(sent)), source_(source), chunked_(chunked), with_bytes_(with_bytes) {
  if (!chunked_) return;
  AccountScope nobody(nullptr);
  buffer_ = at::empty({largest_chunk()}, at::kByte);
}

int64_t Transport::bytes_of(const Sent& sent) const {
  if (sent.delivery < 0) return 0;
  const model::Delivery& delivery = catalogue_.deliveries()[static_cast<size_t>(sent.delivery)];
  return padded(numel(sent.wrong_shape.value_or(delivery.shape)) * dtype_size(sent.wrong_dtype.value_or(delivery.dtype)));
}

int64_t Transport::largest_chunk() const {
  int64_t largest = 0, bytes = 0;
  for (size_t i = 0; i < sent_.size(); ++i) {
    if (i > 0 && sent_[i].chunk != sent_[i - 1].chunk) bytes = 0;
    bytes += bytes_of(sent_[i]);
    largest = std::max(largest, bytes);
  }
  return largest;
}

Result<at::Tensor> Transport::make(const Sent& sent) const {
  model::Delivery delivery = catalogue_.deliveries()[static_cast<size_t>(sent.delivery)];
  const Shape shape = sent.wrong_shape.value_or(delivery.shape);
  const DType dtype = sent.wrong_dtype.value_or(delivery.dtype);
  if (!with_bytes_ && numel(shape) > small_numel) return at::empty(shape, at::TensorOptions(model::to_torch(dtype)).device(at::kMeta));
  if (!sent.wrong_shape && !sent.wrong_dtype) return source_.read(delivery);
  return at::ones(shape, model::to_torch(dtype));
}

Status Transport::fill_chunk(int chunk) {
  AccountScope nobody(nullptr);
  chunk_ = chunk;
  views_.clear();
  while (sent_[chunk_begin_].chunk != chunk) ++chunk_begin_;
  scribble();
  int64_t offset = 0;
  for (size_t i = chunk_begin_; i < sent_.size() && sent_[i].chunk == chunk; ++i) {
    at::Tensor& view = views_.emplace_back();
    if (sent_[i].delivery < 0) continue;
    RELOADLAB_ASSIGN(at::Tensor content, make(sent_[i]));
    view = buffer_.narrow(0, offset, static_cast<int64_t>(content.nbytes())).view(content.scalar_type()).view(content.sizes());
    view.copy_(content);
    offset += bytes_of(sent_[i]);
  }
  return {};
}

void Transport::scribble() { std::memset(buffer_.mutable_data_ptr(), scribble_byte, buffer_.nbytes()); }

Result<at::Tensor> Transport::fetch(size_t position) {
  if (!chunked_) return make(sent_[position]);
  if (sent_[position].chunk != chunk_) RELOADLAB_TRY(fill_chunk(sent_[position].chunk));
  return views_[position - chunk_begin_];
}

}  // namespace reloadlab::sim
