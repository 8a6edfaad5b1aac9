// Clocks against vectors of ticks.
#include "sim/world/order/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "reference/base/prng.h"

namespace reloadlab::sim {
namespace {

constexpr size_t actors = 300, clocks = 6;

struct Both {
  Clock clock;
  std::vector<uint32_t> ticks = std::vector<uint32_t>(actors, 0);

  void tick(ActorId actor) { EXPECT_EQ(clock.tick(actor), ++ticks[static_cast<size_t>(actor)]); }
  void join(const Both& other) {
    clock.join(other.clock);
    for (size_t i = 0; i < actors; ++i) ticks[i] = std::max(ticks[i], other.ticks[i]);
  }
  bool agree() const {
    for (size_t i = 0; i < actors; ++i)
      if (clock.at(static_cast<ActorId>(i)) != ticks[i]) return false;
    return true;
  }
};

// Steps of a clock's own actor and now and then of another one, joins, copies: what clocks share must never show.
TEST(Clock, KnowsWhatAVectorOfTicksKnows) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Prng prng(seed);
    std::vector<Both> all(clocks);
    for (int step = 0; step < 400; ++step) {
      const size_t one = prng.below(clocks), other = prng.below(clocks);
      const uint64_t what = prng.below(8);
      if (what < 4) {
        all[one].tick(static_cast<ActorId>(one * 50));
      } else if (what == 4) {
        all[one].tick(static_cast<ActorId>(prng.below(actors)));
      } else if (what < 7) {
        all[one].join(all[other]);
      } else {
        all[one] = all[other];
      }
      ASSERT_TRUE(std::ranges::all_of(all, &Both::agree)) << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace reloadlab::sim
