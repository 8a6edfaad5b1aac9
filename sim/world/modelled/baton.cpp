#include "sim/world/modelled/baton.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace reloadlab::sim::modelled {
namespace {

long futex(std::atomic<uint32_t>& word, int operation, uint32_t value, const timespec* time) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, time, nullptr, 0);
}

HeldBeside beside;

class Left {
 public:
  Left() : state_(beside.leave ? beside.leave() : nullptr) {}
  ~Left() {
    if (beside.come_back) beside.come_back(state_);
  }
  Left(const Left&) = delete;
  Left& operator=(const Left&) = delete;

 private:
  void* state_;
};

}  // namespace

void give_away_while_waiting(HeldBeside held) { beside = held; }

void Baton::give() {
  given_.store(1, std::memory_order_release);
  futex(given_, FUTEX_WAKE, 1, nullptr);
}

void Baton::take() {
  if (taken()) return;
  const Left given;
  while (!taken()) futex(given_, FUTEX_WAIT, 0, nullptr);
}

bool Baton::take_within(std::chrono::nanoseconds time) {
  if (taken()) return true;
  const Left given;
  const auto end = std::chrono::steady_clock::now() + time;
  while (!taken()) {
    const std::chrono::nanoseconds left = end - std::chrono::steady_clock::now();
    if (left.count() <= 0) return taken();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec wait{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
    futex(given_, FUTEX_WAIT, 0, &wait);
  }
  return true;
}

}  // namespace reloadlab::sim::modelled
