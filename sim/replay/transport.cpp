#include "sim/replay/transport.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>

#include "reference/model/layer.h"
#include "sim/replay/laid.h"
#include "sim/world/account.h"

namespace reloadlab::sim {
namespace {

constexpr int scribble_byte = 0x5A;
// Loaders may read small tensors on the host (scales, shapes), so these have bytes in every world.
constexpr int64_t small_numel = 64;

bool is_device(at::Device device) { return !device.is_cpu() && !device.is_meta(); }

// What fn issues goes to the other stream, behind what the current one holds; the current one goes on behind it.
template <class Fn>
void aside(at::Device device, c10::Stream side, Fn&& fn) {
  const c10::Stream here = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  c10::Event ready(device.type()), there(device.type());
  ready.record(here);
  ready.block(side);
  {
    const c10::StreamGuard guard(side);
    fn();
    there.record(side);
  }
  there.block(here);
}

c10::Stream a_stream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device); }

at::Tensor bytes_on(at::Device device, int64_t length) { return at::empty({length}, at::TensorOptions(at::kByte).device(device)); }

}  // namespace

at::Tensor shape_only(const Shape& shape, DType dtype) { return at::zeros({}, model::to_torch(dtype)).expand(shape); }

Transport::Transport(const Catalogue& catalogue, std::vector<Sent> sent, const Checkpoint& source, Shipping shipping)
    : catalogue_(catalogue), sent_(std::move(sent)), source_(source), shipping_(shipping) {
  if (shipping_.source == LoadPlan::Source::stream) stream_ = a_stream(shipping_.device);
  if (shipping_.source == LoadPlan::Source::ipc || !shipping_.chunked || !shipping_.reuses) return;
  AccountScope nobody(nullptr);
  on_its_stream([&] { buffer_ = bytes_on(shipping_.device, largest_chunk()); });
}

// Behind what the receiver has done so far; what the receiver does next is behind it.
void Transport::on_its_stream(c10::function_ref<void()> fn) const { stream_ ? aside(shipping_.device, *stream_, fn) : fn(); }

// As engines receive: by a stream of their own, behind what the receiver has done so far; what the receiver does next is behind it.
void Transport::transfer(const at::Tensor& values, const at::Tensor& arrived) const {
  const auto copy = [&] { arrived.copy_(values, /*non_blocking=*/true); };
  stream_ || !is_device(arrived.device()) ? copy() : aside(arrived.device(), a_stream(arrived.device()), copy);
}

bool Transport::on_meta(const Sent& sent) const { return shipping_.device.is_meta() && numel(sent.shape_of(delivery(sent))) > small_numel; }

at::Device Transport::device_of(const Sent& sent) const {
  return shipping_.device.is_meta() && !on_meta(sent) ? at::Device(at::kCPU) : shipping_.device;
}

int64_t Transport::bytes_of(const Sent& sent) const {
  if (sent.delivery < 0) return 0;
  const int64_t bytes = sent.bytes_of(delivery(sent));
  return shipping_.chunked ? in_chunk(bytes) : bytes;
}

int64_t Transport::chunk_bytes(size_t begin) const {
  int64_t bytes = 0;
  for (size_t i = begin; i < sent_.size() && sent_[i].chunk == sent_[begin].chunk; ++i) bytes += bytes_of(sent_[i]);
  return bytes;
}

int64_t Transport::largest_chunk() const {
  int64_t largest = 0;
  for (size_t i = 0; i < sent_.size(); ++i)
    if (i == 0 || sent_[i].chunk != sent_[i - 1].chunk) largest = std::max(largest, chunk_bytes(i));
  return largest;
}

// The values, row by row, in the element type in which they arrive.
Result<at::Tensor> Transport::content(const Sent& sent) const {
  if (!shipping_.bytes && !shipping_.device.is_meta()) return shape_only(sent.shape_of(delivery(sent)), sent.dtype_of(delivery(sent)));
  const at::ScalarType type = model::to_torch(sent.dtype_of(delivery(sent)));
  if (on_meta(sent) || sent.wrong_shape || sent.wrong_dtype)
    return at::ones(sent.shape_of(delivery(sent)), at::TensorOptions(type).device(device_of(sent)));
  RELOADLAB_ASSIGN(at::Tensor values, source_.read(delivery(sent)));
  return values.to(type);
}

// A tensor as it arrives, in the bytes from `start` on.
at::Tensor Transport::place(const Sent& sent, const at::Tensor& memory, int64_t start) const {
  const Shape shape = sent.shape_of(delivery(sent));
  const Laid laid(shape, sent.layout);
  const at::Tensor all = memory.narrow(0, start, sent.bytes_of(delivery(sent))).view(model::to_torch(sent.dtype_of(delivery(sent))));
  return all.as_strided(shape, laid.strides, all.storage_offset() + laid.offset);
}

Result<at::Tensor> Transport::alone(const Sent& sent) const {
  const bool as_it_is =
      !is_device(shipping_.device) && sent.layout == LoadPlan::Layout::dense && sent.dtype_of(delivery(sent)) == delivery(sent).dtype;
  if (as_it_is) return content(sent);
  const at::Tensor memory = bytes_on(device_of(sent), bytes_of(sent));
  at::Tensor arrived = place(sent, memory, 0);
  AccountScope nobody(nullptr);
  RELOADLAB_ASSIGN(const at::Tensor values, content(sent));
  transfer(values, arrived);
  return arrived;
}

Status Transport::fill_chunk(int chunk) {
  chunk_ = chunk;
  views_.clear();
  while (sent_[chunk_begin_].chunk != chunk) ++chunk_begin_;
  if (shipping_.source == LoadPlan::Source::ipc) return bring_from_another_process();
  if (!shipping_.reuses) {
    buffer_.reset();
    buffer_ = bytes_on(shipping_.device, chunk_bytes(chunk_begin_));
  }
  AccountScope nobody(nullptr);
  return bring_views(buffer_);
}

// Where large tensors are on meta the small ones, which have bytes, cannot lie beside them.
Status Transport::bring_views(const at::Tensor& memory) {
  if (!memory.is_meta()) memory.fill_(scribble_byte);
  int64_t offset = 0;
  for (size_t i = chunk_begin_; i < sent_.size() && sent_[i].chunk == chunk_; ++i) {
    at::Tensor& view = views_.emplace_back();
    if (sent_[i].delivery < 0) continue;
    const bool beside = memory.is_meta() && device_of(sent_[i]) != memory.device();
    RELOADLAB_ASSIGN(const at::Tensor values, content(sent_[i]));
    view = beside ? place(sent_[i], bytes_on(at::kCPU, sent_[i].bytes_of(delivery(sent_[i]))), 0) : place(sent_[i], memory, offset);
    transfer(values, view);
    offset += bytes_of(sent_[i]);
  }
  return {};
}

// The chunk is put together here and given to the other process, in whose memory the same places hold it.
Status Transport::bring_from_another_process() {
  AccountScope nobody(nullptr);
  const int64_t bytes = chunk_bytes(chunk_begin_);
  const at::Tensor image = bytes_on(at::kCPU, bytes);
  RELOADLAB_TRY(bring_views(image));
  if (bytes == 0) return {};
  if (!foreign_) {
    RELOADLAB_ASSIGN(foreign_, shipping_.foreign_memory(largest_chunk()));
  }
  RELOADLAB_TRY(foreign_->fill(image));
  if (!buffer_.defined()) {
    RELOADLAB_ASSIGN(buffer_, foreign_->open());
  }
  int64_t offset = 0;
  for (size_t i = 0; i < views_.size(); ++i) {
    const Sent& sent = sent_[chunk_begin_ + i];
    if (sent.delivery >= 0) views_[i] = place(sent, buffer_, offset);
    offset += bytes_of(sent);
  }
  return {};
}

Status Transport::returned(size_t position) {
  const bool last = position + 1 == sent_.size() || sent_[position + 1].chunk != sent_[position].chunk;
  return last ? take_back() : Status();
}

Status Transport::take_back() {
  if (shipping_.source != LoadPlan::Source::ipc || !buffer_.defined() || views_.empty()) return {};
  AccountScope nobody(nullptr);
  if (is_device(shipping_.device)) {
    const c10::impl::VirtualGuardImpl device(shipping_.device.type());
    device.synchronizeStream(device.getStream(shipping_.device));
  }
  views_.clear();
  if (shipping_.handle == LoadPlan::Handle::reused)
    return foreign_->fill(at::full_like(buffer_, scribble_byte, at::TensorOptions(at::kCPU)));
  buffer_.reset();
  return foreign_->close(sent_[chunk_begin_].delivery < 0 ? sent_[chunk_begin_].unknown : delivery(sent_[chunk_begin_]).name);
}

Result<at::Tensor> Transport::fetch(size_t position) {
  if (!stream_) return bring(position);
  const c10::Stream receiver = c10::impl::VirtualGuardImpl(shipping_.device.type()).getStream(shipping_.device);
  Result<at::Tensor> arrived = Status(Code::failed, "nothing came");
  on_its_stream([&] { arrived = bring(position); });
  // As engines do that hand memory over: whoever holds it last, what the receiver's stream does with it comes before its next tenant.
  if (arrived.ok()) arrived->record_stream(receiver);
  return arrived;
}

Result<at::Tensor> Transport::bring(size_t position) {
  if (!shipping_.chunked) return alone(sent_[position]);
  if (sent_[position].chunk != chunk_) RELOADLAB_TRY(fill_chunk(sent_[position].chunk));
  return views_[position - chunk_begin_];
}

}  // namespace reloadlab::sim
