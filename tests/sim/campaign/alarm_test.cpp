#include "sim/campaign/alarm.h"

#include <gtest/gtest.h>

#include <semaphore>

namespace reloadlab::sim {
namespace {

constexpr double kSoon = 0.001, kNever = 3600;

TEST(Alarm, RingsOnceForEachTimeThatItWasSetAndForgotten) {
  std::counting_semaphore<> rung(0);
  Alarm alarm(kSoon, [&] { rung.release(); });
  for (int time = 0; time < 3; ++time) {
    alarm.set();
    rung.acquire();
  }
  EXPECT_FALSE(rung.try_acquire());
}

TEST(Alarm, IsSilentWhereItWasCleared) {
  bool rung = false;
  {
    Alarm alarm(kNever, [&] { rung = true; });
    alarm.set();
    alarm.set();
    alarm.clear();
  }
  EXPECT_FALSE(rung);
}

// As the case begins whose candidate hangs: the one before it was over.
TEST(Alarm, RingsWhereItWasClearedAndSetAgain) {
  std::binary_semaphore rung(0);
  Alarm alarm(kSoon, [&] { rung.release(); });
  alarm.set();
  alarm.clear();
  alarm.set();
  rung.acquire();
}

}  // namespace
}  // namespace reloadlab::sim
