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

Seen see(const Program& program, bool reduced, Limits limits = {.seconds = no_clock}) {
  Seen seen;
  seen.coverage = depth_first(program, {.reduced = reduced, .limits = limits}, [&](const Execution& run) {
    seen.ends.insert(run.outcome.verdict + " / " + run.outcome.state);
    ++seen.ran_to_their_end;
    return true;
  });
  return seen;
}

void expect_same(const Program& program, const Seen& reduced, const Seen& all, bool each_once = true) {
  ASSERT_TRUE(reduced.coverage.exhausted && all.coverage.exhausted) << reduced.coverage.limit << all.coverage.limit;
  EXPECT_EQ(reduced.ends, all.ends);
  EXPECT_EQ(reduced.coverage.traces, all.coverage.traces);
  if (each_once) {
    EXPECT_EQ(reduced.ran_to_their_end, static_cast<int64_t>(reduced.coverage.traces.size())) << "a trace was run twice";
  }
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

struct Compared {
  int programs = 0;
  size_t traces = 0;
  std::set<std::string> verdicts;
};

Compared compare_all(uint64_t programs, const std::function<RandomProgram(uint64_t)>& draw) {
  Compared compared;
  for (uint64_t seed = 0; seed < programs && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomProgram random = draw(seed);
    Program program = program_of(random);
    Seen all = see(program, false, {.executions = 3000, .seconds = no_clock});
    if (!all.coverage.exhausted) continue;  // too long for the unreduced search
    Seen reduced = see(program, true);
    expect_same(program, reduced, all, !random.chooses());
    ++compared.programs;
    compared.traces += reduced.coverage.traces.size();
    for (const std::string& end : reduced.ends) compared.verdicts.insert(end.substr(0, end.find(" / ")));
  }
  return compared;
}

TEST(DepthFirst, RandomProgramsEndAsTheUnreducedSearchSays) {
  Compared compared = compare_all(150, [](uint64_t seed) { return RandomProgram(seed, 2 + seed % 3); });
  EXPECT_GT(compared.programs, 100);
  EXPECT_GT(compared.traces, 500u);
}

// Who comes first to a device's only place for collectives decides who deadlocks.
TEST(DepthFirst, RandomMeetingsEndAsTheUnreducedSearchSays) {
  Compared compared = compare_all(80, [](uint64_t seed) { return RandomProgram::meetings(seed, 2 + seed % 3); });
  EXPECT_GT(compared.programs, 60);
  EXPECT_EQ(compared.verdicts, (std::set<std::string>{"", "deadlock: nothing can go on"}));
}

}  // namespace
}  // namespace reloadlab::sim::explore
