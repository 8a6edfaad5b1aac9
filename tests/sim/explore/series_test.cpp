// The shared-weight series on every schedule: correct code has one trace and no race, whatever its shape.
#include <gtest/gtest.h>

#include "sim/explore/strategy.h"
#include "sim/explore/witness.h"
#include "tests/sim/explore/series_program.h"

namespace reloadlab::sim::explore {
namespace {

using shared_series::SeriesPolicy;

TEST(SeriesSchedules, SmallFigures) {
  for (bool hosts : {false, true})
    for (bool waits : {true, false}) {
      for (auto kind : {Strategy::Kind::exhaustive, Strategy::Kind::unreduced}) {
        auto seen = explore(series_program({.waits = waits, .hosts = hosts}), {.kind = kind}, {.executions = 100000});
        fmt::print("hosts {} waits {} kind {}: {} endings {} races {} first '{}'\n", hosts, waits, int(kind), told(seen->coverage),
                   seen->endings.size(), seen->races.size(), seen->endings[0].verdict);
      }
    }
}

TEST(SeriesSchedules, Sweep) {
  const auto begin = std::chrono::steady_clock::now();
  int count = 0;
  double slowest = 0;
  for (int ranks : {1, 2, 3, 4})
    for (int64_t layers = 1; layers <= 7; ++layers)
      for (int64_t prefetch = 0; prefetch <= std::min<int64_t>(3, std::max<int64_t>(0, layers - 2)); ++prefetch)
        for (int64_t first : std::set<int64_t>{0, 1, layers - 1}) {
          SeriesShape shape{.ranks = ranks, .layers = layers, .prefetch = prefetch, .first = first, .passes = 3};
          auto seen = explore(series_program(shape), {}, {});
          ++count;
          slowest = std::max(slowest, seen->coverage.seconds);
          EXPECT_EQ(seen->coverage.executions, 1);
          EXPECT_EQ(seen->races.size(), 0u);
          EXPECT_EQ(seen->endings[0].verdict, "");
          if (testing::Test::HasFailure()) return;
        }
  fmt::print("{} shapes {:.1f} s, slowest {:.2f}\n", count, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
             slowest);
}

}  // namespace
}  // namespace reloadlab::sim::explore
