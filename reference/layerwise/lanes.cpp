#include "reference/layerwise/lanes.h"

#include <c10/core/Allocator.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace reloadlab::layerwise {
namespace {

constexpr size_t count = 2;  // a third one gains nothing

void keep_for(const at::Tensor& tensor, const c10::Stream& stream) {
  c10::impl::VirtualGuardImpl(stream.device_type()).recordDataPtrOnStream(tensor.storage().data_ptr(), stream);
}

}  // namespace

Lanes::~Lanes() {
  try {
    join();
  } catch (...) {  // the device is lost, and with it whatever would have to wait
  }
}

bool Lanes::may_use(const at::Tensor& tensor) {
  if (tensor.is_cpu() || tensor.is_meta()) return false;
  const c10::DeleterFnPtr deleter = tensor.storage().data_ptr().get_deleter();
  return deleter && deleter == c10::GetAllocator(tensor.device().type())->raw_deleter();
}

Lanes::Lane& Lanes::next(c10::Device device) {
  if (!lanes_.empty() && lanes_.front().stream.device() != device) join(), lanes_.clear();
  const c10::impl::VirtualGuardImpl streams(device.type());
  while (lanes_.size() < count) lanes_.push_back({streams.getStreamFromGlobalPool(device), c10::Event(device.type()), std::nullopt});
  next_ = (next_ + 1) % count;
  return lanes_[next_];
}

void Lanes::issue(c10::Stream caller, const std::vector<PlainCopy>& touched, c10::function_ref<void()> copies) {
  Lane& lane = next(caller.device());
  lane.event.record(caller);
  lane.event.block(lane.stream);
  lane.caller = caller;
  const c10::StorageImpl *to = nullptr, *from = nullptr;
  for (const PlainCopy& copy : touched) {
    if (to != copy.to.storage().unsafeGetStorageImpl()) keep_for(copy.to, lane.stream);
    if (from != copy.from.storage().unsafeGetStorageImpl()) keep_for(copy.from, lane.stream);
    to = copy.to.storage().unsafeGetStorageImpl(), from = copy.from.storage().unsafeGetStorageImpl();
  }
  const c10::StreamGuard guard(lane.stream);
  copies();
}

void Lanes::join() {
  for (Lane& lane : lanes_) {
    if (!lane.caller) continue;
    lane.event.record(lane.stream);
    lane.event.block(*lane.caller);
    lane.caller.reset();
  }
}

}  // namespace reloadlab::layerwise
