#include "sim/explore/shrink.h"

#include <gtest/gtest.h>

#include "tests/sim/explore/random_program.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

// Two streams add to a cell, each in two steps; which updates are lost depends on where they are interrupted.
Program lost_updates(size_t adders = 2) {
  return [adders](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {0};
    cells->reads.assign(adders, 0);
    for (size_t adder = 0; adder < adders; ++adder) {
      modelled::Stream& stream = machine.new_stream(0);
      for (int i = 0; i < 3; ++i) {
        machine.issue(stream, read_cell(cells, adder, 0));
        modelled::Kernel store{.name = "store", .accesses = {cells->access(0, true)}};
        store.run = [cells, adder] { cells->values[0] = cells->reads[adder] + 1; };
        machine.issue(stream, store);
      }
    }
    machine.drain();
    const uint64_t value = cells->values[0], all = 3 * adders;
    return ended(machine, cells, value == all ? "" : value + 4 == all ? "four lost" : "some lost");
  };
}

Shrunk shrunk(const Program& program, const Execution& run, Limits limits = {.seconds = no_clock}) {
  return shrink(
      program, run, [&](const Outcome& outcome) { return outcome.verdict == run.outcome.verdict; }, limits);
}

TEST(Shrink, FindsTheFewestPreemptions) {
  int compared = 0;
  for (uint64_t seed = 0; seed < 300 && compared < 12; ++seed) {
    Execution run = run_with(lost_updates(), modelled::random_choices(seed));
    if (run.outcome.verdict.empty()) continue;
    Shrunk small = shrunk(lost_updates(), run);
    // One adder is left between its first read and its store while the other goes to its end: some are lost. For four to be lost the
    // other must be left before its last store as well.
    EXPECT_EQ(small.preemptions, run.outcome.verdict == "four lost" ? 2 : 1) << run.outcome.verdict;
    EXPECT_EQ(small.run.outcome.verdict, run.outcome.verdict);
    EXPECT_EQ(preemptions(small.run), small.preemptions);
    EXPECT_TRUE(small.fewest);
    ++compared;
  }
  EXPECT_EQ(compared, 12);
}

// With one execution more than it takes to come to one preemption it is not yet known that none do not suffice: there are two orders
// of the adders to be tried.
TEST(Shrink, OneIsTheFewestOnlyWhenNoneWereTried) {
  Execution run = run_with(lost_updates(), modelled::random_choices(2));
  int64_t limit = 1;
  while (shrunk(lost_updates(), run, {.executions = limit}).preemptions > 1) ++limit;
  EXPECT_FALSE(shrunk(lost_updates(), run, {.executions = limit + 1}).fewest);
  EXPECT_TRUE(shrunk(lost_updates(), run, {.executions = limit + 10}).fewest);
}

// What is too large to be searched still becomes small.
TEST(Shrink, PreemptionsAreTriedAwayOneByOne) {
  Program program = lost_updates(6);
  Execution run = run_with(program, modelled::random_choices(1));
  ASSERT_GT(preemptions(run), 10);
  Shrunk small = shrunk(program, run, {.executions = 600});
  EXPECT_LE(small.preemptions, 3);
  EXPECT_FALSE(small.fewest);
}

TEST(Shrink, SaysWhereItCouldNotSearchAll) {
  Execution run = run_with(lost_updates(), modelled::random_choices(2));
  ASSERT_FALSE(run.outcome.verdict.empty());
  Shrunk small = shrunk(lost_updates(), run, {.executions = 1});
  EXPECT_FALSE(small.fewest);
  EXPECT_EQ(small.limit, "1 executions");
  EXPECT_LE(small.executions, 1);
  EXPECT_EQ(small.run.outcome.verdict, run.outcome.verdict);
}

TEST(Shrink, ARingWithoutWaitsNeedsFewPreemptions) {
  Program program = ring_program({.ranks = 2, .layers = 5, .prefetch = 1, .passes = 2, .lacks = Lacks::wait});
  Execution run = run_with(program, modelled::random_choices(1));
  ASSERT_FALSE(run.outcome.verdict.empty());
  ASSERT_GT(preemptions(run), 10);
  Shrunk small = shrunk(program, run, {.executions = 3000, .seconds = no_clock});
  EXPECT_EQ(small.preemptions, 0);  // a computing stream that simply goes on reads too early
}

// Without a search: whoever goes on as long as it can reads too early here and there.
TEST(Shrink, SchedulesWithoutPreemptionsAreTriedFirst) {
  const Program program = ring_program({.ranks = 3, .layers = 5, .prefetch = 2, .passes = 3, .lacks = Lacks::wait});
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Execution run = run_with(program, modelled::random_choices(seed));
    ASSERT_FALSE(run.outcome.verdict.empty());
    ASSERT_GT(preemptions(run), 20);
    const Shrunk small = shrunk(program, run, {.executions = 5});
    EXPECT_EQ(small.preemptions, 0);
    EXPECT_TRUE(small.fewest);
    EXPECT_EQ(small.limit, "");
  }
}

// Those that are needed are few among many, and are found by halves.
TEST(Shrink, PreemptionsAreTriedAwayManyAtATime) {
  const Program program = lost_updates(12);
  const Execution run = run_with(program, modelled::random_choices(1));
  const int64_t before = preemptions(run);
  ASSERT_GT(before, 30);
  const Shrunk small = shrunk(program, run, {.executions = 200 + before / 4});
  EXPECT_LE(small.preemptions, 2);
  EXPECT_FALSE(small.fewest);
  EXPECT_EQ(small.limit, fmt::format("{} executions", 200 + before / 4));
}

TEST(Shrink, RandomProgramsKeepTheirVerdictsAndChoices) {
  int failing = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Program program = program_of(RandomProgram(seed, 5));
    Execution run = run_with(program, modelled::random_choices(seed));
    Shrunk small = shrunk(program, run, {.executions = 50});
    EXPECT_EQ(small.run.outcome.verdict, run.outcome.verdict);
    EXPECT_LE(small.preemptions, preemptions(run));
    failing += !run.outcome.verdict.empty();
  }
  EXPECT_GT(failing, 10);
}

}  // namespace
}  // namespace reloadlab::sim::explore
