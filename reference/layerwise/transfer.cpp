#include "reference/layerwise/transfer.h"

#include <ATen/ops/_foreach_copy.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>

#include "reference/layerwise/storage.h"

namespace reloadlab::layerwise {
namespace {

// Bytes. Measured on an H200 (bench/results): from here on copies of their own are the faster ones on two lanes; what goes out together;
// what is worth a lane.
constexpr int64_t large = int64_t{16} << 20, waits_at_most = int64_t{64} << 20, for_lanes = int64_t{4} << 20;
constexpr size_t runs_at_most = 1024;

c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

bool is_plain(const at::Tensor& tensor) { return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg(); }

int64_t offset_of(const at::Tensor& tensor) { return tensor.storage_offset() * static_cast<int64_t>(tensor.itemsize()); }

uintptr_t begin_of(const at::Tensor& tensor) { return reinterpret_cast<uintptr_t>(tensor.storage().data()); }

// Words of one size, of which the operator moves several at a time.
struct Words {
  std::vector<at::Tensor> to, from;
};

}  // namespace

// Both lie in a row, alike, on one device.
bool Transfer::can_gather(const at::Tensor& kernel, const PlainCopy& copy, int64_t bytes) const {
  if (kernel.is_meta() || bytes == 0 || bytes >= large || (kernel.is_cpu() && gather_ == Gather::on_accelerators)) return false;
  return copy.from.device() == kernel.device() && copy.from.scalar_type() == copy.to.scalar_type() && is_plain(copy.from) &&
         is_plain(copy.to) && copy.from.sizes() == copy.to.sizes();
}

void Transfer::add(const at::Tensor& kernel, const PlainCopy& copy) {
  const auto bytes = static_cast<int64_t>(copy.to.nbytes());
  if (can_gather(kernel, copy, bytes)) return extend({kernel, copy.from, offset_of(copy.to), offset_of(copy.from), bytes});
  const PlainCopy real{tensor_on(kernel, copy.to), copy.from};
  const bool alone = copy.from.device() == kernel.device();  // others wait for the host
  issue(current_stream(kernel.device()), {real}, alone ? bytes : 0, [&] { real.to.copy_(real.from); });
}

void Transfer::extend(Run run) {
  const c10::Stream stream = current_stream(run.to.device());
  if (stream_ && *stream_ != stream) flush();
  stream_ = stream;
  bytes_ += run.bytes;
  const auto follows = [&](const Run& last) {
    return last.to_start + last.bytes == run.to_start && last.from_start + last.bytes == run.from_start && last.to.is_alias_of(run.to) &&
           last.from.is_alias_of(run.from);
  };
  if (!runs_.empty() && follows(runs_.back())) {
    runs_.back().bytes += run.bytes;
  } else {
    runs_.push_back(std::move(run));
  }
  if (bytes_ >= waits_at_most || runs_.size() >= runs_at_most) flush();
}

void Transfer::flush() {
  if (!stream_) return;
  const c10::Stream stream = *std::exchange(stream_, std::nullopt);
  const std::vector<Run> runs = std::exchange(runs_, {});
  std::array<Words, 3> all;  // of 1, 2 and 4 bytes
  std::vector<PlainCopy> touched;
  for (const Run& run : runs) {
    // Storages that others have allocated may begin anywhere.
    const uintptr_t places = (begin_of(run.to) + static_cast<uintptr_t>(run.to_start)) |
                             (begin_of(run.from) + static_cast<uintptr_t>(run.from_start)) |
                             static_cast<uintptr_t>(run.to_start | run.from_start | run.bytes);
    const size_t power = places % 4 == 0 ? 2 : places % 2 == 0 ? 1 : 0;
    all[power].to.push_back(words_of_storage(run.to, int64_t{1} << power, run.to_start, run.bytes));
    all[power].from.push_back(words_of_storage(run.from, int64_t{1} << power, run.from_start, run.bytes));
    touched.push_back({run.to, run.from});
  }
  issue(stream, touched, std::exchange(bytes_, 0), [&] {
    for (const Words& words : all)
      if (!words.to.empty()) at::_foreach_copy_(words.to, words.from);
  });
}

void Transfer::issue(c10::Stream stream, const std::vector<PlainCopy>& copies, int64_t bytes, c10::function_ref<void()> call) {
  const auto may_use = [](const PlainCopy& copy) { return Lanes::may_use(copy.to) && Lanes::may_use(copy.from); };
  if (bytes >= for_lanes && std::ranges::all_of(copies, may_use)) return lanes_.issue(stream, copies, call);
  const c10::StreamGuard guard(stream);
  call();
}

void Transfer::join() {
  flush();
  lanes_.join();
}

void Transfer::drop() {
  runs_.clear();
  bytes_ = 0;
  stream_.reset();
  lanes_.join();
}

}  // namespace reloadlab::layerwise
