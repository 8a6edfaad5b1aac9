// The reduced search reaches what the unreduced one reaches, and each trace once.
#include "sim/explore/depth_first.h"

#include <gtest/gtest.h>

#include "tests/sim/explore/random_program.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

struct Seen {
  Coverage coverage;
  std::set<std::string> ends;  // verdicts and states
  int64_t ran_to_their_end = 0;
};

Seen see(const Program& program, bool reduced, Limits limits = {}) {
  Seen seen;
  seen.coverage = depth_first(program, {.reduced = reduced, .limits = limits}, [&](const Execution& run) {
    seen.ends.insert(run.outcome.verdict + " / " + run.outcome.state);
    ++seen.ran_to_their_end;
    return true;
  });
  return seen;
}

void expect_same(const Program& program, const Seen& reduced, const Seen& all) {
  ASSERT_TRUE(reduced.coverage.exhausted && all.coverage.exhausted) << reduced.coverage.limit << all.coverage.limit;
  EXPECT_EQ(reduced.ends, all.ends);
  EXPECT_EQ(reduced.coverage.traces, all.coverage.traces);
  EXPECT_EQ(reduced.ran_to_their_end, static_cast<int64_t>(reduced.coverage.traces.size())) << "a trace was run twice";
  EXPECT_EQ(see(program, true).ends, reduced.ends) << "the same search finds the same";
}

// The interleavings that there are, by arithmetic: two ranks take (record, wait) side by side, then (wait, read, record, wait), then
// (wait, read).
TEST(DepthFirst, EveryInterleavingOfACorrectPassIsOneTrace) {
  Program program = ring_program({.ranks = 2, .layers = 2});
  Seen reduced = see(program, true), all = see(program, false);
  expect_same(program, reduced, all);
  EXPECT_EQ(all.coverage.executions, 6 * 70 * 6);
  EXPECT_EQ(reduced.coverage.executions, 1);
  EXPECT_EQ(reduced.ends.size(), 1u);
}

TEST(DepthFirst, RingsThatLackAnEdgeEndAsTheUnreducedSearchSays) {
  for (Lacks lacks : {Lacks::wait, Lacks::fork, Lacks::right_wait}) {
    for (size_t layers : {1u, 2u}) {
      if (lacks == Lacks::right_wait && layers == 2) continue;  // millions of interleavings
      SCOPED_TRACE(fmt::format("lacks {}, {} layers", static_cast<int>(lacks), layers));
      Program program = ring_program({.ranks = 2, .layers = layers, .lacks = lacks});
      Seen reduced = see(program, true), all = see(program, false);
      expect_same(program, reduced, all);
    }
  }
}

TEST(DepthFirst, RandomProgramsEndAsTheUnreducedSearchSays) {
  int compared = 0;
  size_t traces = 0, redundant = 0, executions = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    RandomProgram random(seed, 2 + seed % 3);
    Program program = program_of(random);
    Seen all = see(program, false, {.executions = 3000});
    if (!all.coverage.exhausted) continue;
    SCOPED_TRACE(seed);
    Seen reduced = see(program, true);
    expect_same(program, reduced, all);
    ++compared;
    traces += reduced.coverage.traces.size();
    redundant += static_cast<size_t>(reduced.coverage.redundant);
    executions += static_cast<size_t>(all.coverage.executions);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(compared, 100);
  EXPECT_GT(traces, 500u);
}

}  // namespace
}  // namespace reloadlab::sim::explore
