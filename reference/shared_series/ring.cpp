#include "reference/shared_series/ring.h"

namespace reloadlab::shared_series {

Window* Ring::holding(LayerIndex layer) {
  for (Window& window : windows)
    if (window.tenant == layer) return &window;
  return nullptr;
}

WindowSlot Ring::take(const c10::Stream& current) {
  WindowSlot slot = next;
  next.value = (next.value + 1) % static_cast<int64_t>(windows.size());
  if (policy_.refill == Refill::readers)
    for (c10::Event& reader : at(slot).readers) reader.block(current);
  at(slot).readers.clear();
  return slot;
}

void Ring::join(Window& window) {
  if (!window.arrival) return;
  window.arrival->wait();
  if (policy_.join == Join::first) window.arrival = nullptr;
}

void Ring::add_reader(Window& window, const c10::Stream& current) {
  if (policy_.refill != Refill::readers) return;
  c10::Event reader(current.device_type());
  reader.record(current);
  window.readers.push_back(std::move(reader));
}

}  // namespace reloadlab::shared_series
