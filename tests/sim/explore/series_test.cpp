// The series and its rings on every schedule, within bounds that suffice for their mistakes.
#include <gtest/gtest.h>

#include "sim/explore/strategy.h"
#include "tests/sim/explore/ring.h"
#include "tests/sim/explore/series_program.h"

namespace reloadlab::sim::explore {
namespace {

Exploration explored(const Program& program, Strategy::Kind kind = Strategy::Kind::exhaustive, Limits limits = {.seconds = no_clock}) {
  auto seen = explore(program, {.kind = kind}, limits);
  EXPECT_TRUE(seen.ok()) << seen.status().message();
  return *std::move(seen);
}

std::set<std::string> series_ends(const Exploration& exploration) {
  std::set<std::string> all;
  for (const Ending& ending : exploration.endings) all.insert(ending.verdict + " / " + ending.state);
  return all;
}

void expect_one_good_trace(const Exploration& seen) {
  EXPECT_TRUE(seen.coverage.exhausted) << told(seen.coverage);
  EXPECT_EQ(seen.coverage.executions, 1);
  EXPECT_TRUE(seen.races.empty());
  ASSERT_EQ(seen.endings.size(), 1u);
  EXPECT_EQ(seen.endings[0].verdict, "");
}

// One trace and no race proves that no schedule matters.
TEST(SeriesSchedules, CorrectCodeHasOneTraceWhateverItsShape) {
  int shapes = 0;
  for (int ranks : {1, 2, 3, 4})
    for (int64_t layers = 1; layers <= 7; ++layers)
      for (int64_t prefetch = 0; prefetch <= std::min<int64_t>(3, std::max<int64_t>(0, layers - 2)); ++prefetch)
        for (int64_t first : std::set<int64_t>{0, 1, layers - 1})
          for (bool hosts : {false, true}) {
            SCOPED_TRACE(fmt::format("n={} L={} k={} s={} hosts {}", ranks, layers, prefetch, first, hosts));
            SeriesShape shape{.ranks = ranks, .layers = layers, .prefetch = prefetch, .first = first, .passes = 3, .hosts = hosts};
            expect_one_good_trace(explored(series_program(shape)));
            ++shapes;
            if (testing::Test::HasFailure()) return;
          }
  EXPECT_EQ(shapes, 440);
}

TEST(SeriesSchedules, TheUnreducedSearchAgreesAboutTheSeries) {
  const shared_series::SeriesPolicy seed = shared_series::SeriesPolicy::seed();
  for (const SeriesShape& shape :
       {SeriesShape{.layers = 1}, SeriesShape{.layers = 1, .waits = false}, SeriesShape{.layers = 2, .policy = seed},
        SeriesShape{.layers = 1, .waits = false, .hosts = true, .policy = seed}}) {
    SCOPED_TRACE(fmt::format("L={} waits {} hosts {}", shape.layers, shape.waits, shape.hosts));
    Exploration all = explored(series_program(shape), Strategy::Kind::unreduced), reduced = explored(series_program(shape));
    ASSERT_TRUE(all.coverage.exhausted && reduced.coverage.exhausted);
    EXPECT_EQ(series_ends(all), series_ends(reduced));
    EXPECT_EQ(all.coverage.traces, reduced.coverage.traces);
    EXPECT_EQ(reduced.coverage.traces.size() == 1, shape.waits);
  }
}

// What a ring without an edge does, on every schedule of its first pass; every race shows in the round-robin schedule already.
TEST(SeriesSchedules, RingsThatLackAnEdgeAreExhausted) {
  int64_t executions = 0;
  for (Lacks lacks : {Lacks::wait, Lacks::fork, Lacks::right_wait})
    for (int ranks : {2, 3})
      for (size_t layers = 1; layers <= 5; ++layers)
        for (size_t prefetch = 0; prefetch == 0 || prefetch + 2 <= layers; ++prefetch) {
          Program program = ring_program({.ranks = ranks, .layers = layers, .prefetch = prefetch, .lacks = lacks});
          Exploration seen = explored(program), once = explored(program, Strategy::Kind::round_robin);
          EXPECT_TRUE(seen.coverage.exhausted);
          EXPECT_EQ(once.races.empty(), seen.races.empty());
          EXPECT_EQ(seen.races.empty(), seen.coverage.traces.size() == 1);
          executions += seen.coverage.executions;
        }
  EXPECT_GT(executions, 10'000);
}

// Numbers that a model of these rings without devices has as well; without waits the same ring has 164,052 traces, in a minute.
TEST(SeriesSchedules, TracesOfTwoPassesAreAsCountedElsewhere) {
  Exploration seen = explored(ring_program({.ranks = 3, .layers = 5, .prefetch = 2, .passes = 2, .lacks = Lacks::fork}));
  EXPECT_TRUE(seen.coverage.exhausted) << told(seen.coverage);
  EXPECT_EQ(seen.coverage.traces.size(), 40'560u);
  EXPECT_EQ(seen.coverage.executions, 40'560);
  expect_one_good_trace(explored(ring_program({.ranks = 3, .layers = 5, .prefetch = 2, .passes = 2})));
}

}  // namespace
}  // namespace reloadlab::sim::explore
