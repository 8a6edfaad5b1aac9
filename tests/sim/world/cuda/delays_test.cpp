#include "sim/world/cuda/delays.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace reloadlab::sim::cuda {
namespace {

// What is lost before three operators and a collective, over and over.
struct Drawn {
  std::vector<int64_t> operators, collectives;
  friend bool operator==(const Drawn&, const Drawn&) = default;
};

Drawn drawn(uint64_t seed, int rank) {
  Delays delays(seed, rank);
  Drawn all;
  for (int i = 0; i < 300; ++i) {
    if (i % 4 < 3)
      all.operators.push_back(delays.before_operator());
    else
      all.collectives.push_back(delays.before_collective());
  }
  return all;
}

TEST(Delays, AreTheSeedsAndTheRanks) {
  EXPECT_EQ(drawn(1, 0), drawn(1, 0));
  EXPECT_NE(drawn(1, 0), drawn(2, 0));
  EXPECT_NE(drawn(1, 0), drawn(1, 1));
}

// Both are late now and then, and never both at a time; ranks are late alike.
TEST(Delays, TakeTurns) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Drawn first = drawn(seed, 0), second = drawn(seed, 1);
    int late_operators = 0;
    for (size_t phase = 0; phase < first.collectives.size() / 4; ++phase) {
      const auto late = [&](const std::vector<int64_t>& all, size_t each) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(phase * each);
        return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(each), [](int64_t delay) { return delay > 0; });
      };
      const bool operators = late(first.operators, 12), collectives = late(first.collectives, 4);
      EXPECT_FALSE(operators && (collectives || late(second.collectives, 4))) << "seed " << seed << " phase " << phase;
      late_operators += operators ? 1 : 0;
    }
    EXPECT_GE(late_operators, 8) << "seed " << seed;
    EXPECT_GT(std::ranges::count_if(first.collectives, [](int64_t delay) { return delay > 0; }), 10) << "seed " << seed;
  }
}

}  // namespace
}  // namespace reloadlab::sim::cuda
