#include "reference/shared_series/ring.h"

#include <algorithm>
#include <exception>
#include <torch/csrc/distributed/c10d/Work.hpp>

namespace reloadlab::shared_series {

Reader& Ring::reader(Window& window, const c10::Stream& stream) {
  for (Reader& one : window.readers)
    if (one.stream == stream) return one;
  return window.readers.emplace_back(stream);
}

void Ring::join(Window& window, const c10::Stream& current) {
  window.state = SlotState::in_use;
  if (policy_.join == Join::first) {
    if (window.arrival) window.arrival->wait();
    window.arrival = nullptr;  // not where that failed: whoever comes next waits for it, too
    return;
  }
  Reader& one = reader(window, current);
  if (window.arrival && !one.joined) window.arrival->wait();
  one.joined = one.open = true;
}

void Ring::add_reader(Window& window, const c10::Stream& current) {
  window.state = SlotState::ready;
  if (policy_.refill != Refill::readers || !has_streams_) return;
  Reader& one = reader(window, current);
  one.event.record(current);
  one.open = false;
  one.recorded = true;
}

// A stream that waited and never said that it was done is waited for as a whole.
void Ring::finish(Reader& one, const c10::Stream& current) const {
  const bool open = std::exchange(one.open, false), recorded = std::exchange(one.recorded, false);
  one.joined = false;
  if (policy_.refill != Refill::readers || !has_streams_ || one.stream == current) return;
  if (open) one.event.record(one.stream);
  if (open || recorded) one.event.block(current);
}

void Ring::refill(Window& window, const c10::Stream& current) {
  const bool unread = std::ranges::none_of(window.readers, &Reader::joined);
  // Two operations in flight may write in any order where a communicator has several workers.
  if (policy_.refill == Refill::readers && window.arrival && unread) window.arrival->wait();
  std::erase_if(window.readers, [](const Reader& one) { return !one.involved(); });
  for (Reader& one : window.readers) finish(one, current);
}

void Ring::note_outside(const c10::Stream& current) {
  if (!has_streams_) return;
  if (!outside_) outside_.emplace(current.device_type());
  outside_->record(current);
}

bool Ring::in_capture(const c10::Stream& current) {
  if (!outside_) return false;
  try {
    outside_->block(current);
  } catch (const std::exception&) {
    return true;
  }
  return false;
}

// Readers of layers whose windows were filled again since come before those fills, and so before what arrived.
void Ring::drain(const c10::Stream& current) {
  std::exception_ptr first;
  auto attempt = [&](auto&& step) {
    try {
      step();
    } catch (const std::exception&) {
      if (!first) first = std::current_exception();
    }
  };
  for (Window& window : windows) {
    if (const auto arrival = std::exchange(window.arrival, nullptr)) attempt([&] { arrival->wait(); });
    for (Reader& one : window.readers) attempt([&] { finish(one, current); });
    window.readers.clear();
    if (window.state == SlotState::in_flight) window.state = SlotState::ready;
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace reloadlab::shared_series
