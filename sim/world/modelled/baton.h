#pragma once
// What one thread gives and another one takes. Unlike the standard library's semaphores it never spins or yields first: whoever waits
// shares a core with whoever gives, and only sleeping lets the other go on.
#include <atomic>
#include <chrono>
#include <cstdint>

namespace reloadlab::sim::modelled {

// What else a thread holds that others need before they can give it the baton (an interpreter's lock): given away before it sleeps, taken
// back when it has the baton.
struct HeldBeside {
  void* (*leave)() = nullptr;  // null: nothing
  void (*come_back)(void*) = nullptr;
};
void give_away_while_waiting(HeldBeside held);

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
