#pragma once
// What one thread gives and another one takes. Unlike the standard library's semaphores it never spins or yields first: whoever waits
// shares a core with whoever gives, and only sleeping lets the other go on.
#include <atomic>
#include <chrono>
#include <cstdint>

namespace reloadlab::sim::modelled {

class Baton {
 public:
  // REQUIRES that it was taken since it was given last.
  void give();
  void take();
  // False where it was not given within the time.
  bool take_within(std::chrono::nanoseconds time);

 private:
  bool taken() { return given_.exchange(0, std::memory_order_acquire) != 0; }
  std::atomic<uint32_t> given_{0};
};

}  // namespace reloadlab::sim::modelled
