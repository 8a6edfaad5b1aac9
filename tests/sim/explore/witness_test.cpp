#include "sim/explore/witness.h"

#include <gtest/gtest.h>

#include "sim/explore/strategy.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

Program two_streams(bool reads, uint64_t first, uint64_t second) {
  return [=](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {first};
    cells->reads = {0};
    auto store = [&](uint64_t value) {
      modelled::Kernel kernel{.name = "store", .accesses = {cells->access(0, true)}};
      kernel.run = [cells, value] { cells->values[0] = value; };
      return kernel;
    };
    modelled::Stream &one = machine.stream(0, 0), &other = machine.new_stream(0);
    machine.issue(one, store(first));
    machine.wait(other, machine.record(one, "the first store"));
    machine.issue(one, reads ? read_cell(cells, 0, 0) : store(first));
    machine.issue(other, store(second));
    machine.drain();
    return ended(machine, cells, "");
  };
}

TEST(Witness, ReversesAPairAndSaysWhatItDoes) {
  for (bool reads : {true, false}) {
    for (uint64_t second : {5u, 6u}) {
      Program program = two_streams(reads, 5, second);
      Execution run = run_with(program, modelled::round_robin());
      ASSERT_EQ(run.outcome.races.size(), 1u);
      auto witness = reverse_race(program, run, run.outcome.races[0]);
      ASSERT_TRUE(witness);
      EXPECT_EQ(witness->wrong_bytes, second == 6) << "equal bytes are benign";
      const modelled::Race &race = run.outcome.races[0], &other = witness->run.outcome.races.at(0);
      EXPECT_EQ(other.first.actor, race.second.actor);
      EXPECT_EQ(other.second.actor, race.first.actor);
      EXPECT_TRUE(replay_stored(program, stored(witness->run)).ok());
    }
  }
}

TEST(Witness, TheMissingEdgeIsSaidInWords) {
  Program program = two_streams(true, 5, 6);
  Execution run = run_with(program, modelled::replay({0, 0, 0}));
  ASSERT_EQ(run.outcome.races.size(), 1u);
  EXPECT_EQ(missing_edge(run, run.outcome.races[0]),
            "stream 1 of sim:0 (store, writes) is not ordered after stream 0 of sim:0 (read 0, reads): no wait of the writer's stream on "
            "an event recorded behind the reader; both come after record on stream 0 of sim:0");
}

// What was issued later waits, whichever the schedule executed first.
TEST(Witness, TheMissingEdgeIsTheSameInBothOrders) {
  Program program = two_streams(true, 5, 6);
  Execution run = run_with(program, modelled::replay({0, 0, 0}));
  ASSERT_EQ(run.outcome.races.size(), 1u);
  const auto other = reverse_race(program, run, run.outcome.races[0]);
  ASSERT_TRUE(other);
  ASSERT_EQ(other->run.outcome.races.size(), 1u);
  const modelled::Race &race = run.outcome.races[0], &reversed = other->run.outcome.races[0];
  EXPECT_NE(reversed.first.actor, race.first.actor);
  EXPECT_EQ(reversed.earlier().actor, race.earlier().actor);
  EXPECT_EQ(reversed.later().actor, race.later().actor);
}

// Every race of a ring that lacks an edge, found in one schedule, can be reversed; and one reversal at least gives wrong bytes.
TEST(Witness, EveryRaceOfARingHasOne) {
  for (Lacks lacks : {Lacks::wait, Lacks::fork, Lacks::right_wait}) {
    Program program = ring_program({.ranks = 2, .layers = 4, .prefetch = 1, .passes = 2, .lacks = lacks});
    Execution run = run_with(program, modelled::round_robin());
    ASSERT_FALSE(run.outcome.races.empty()) << static_cast<int>(lacks);
    int wrong = 0;
    for (const modelled::Race &race : run.outcome.races) {
      auto witness = reverse_race(program, run, race);
      ASSERT_TRUE(witness) << missing_edge(run, race);
      wrong += witness->wrong_bytes;
    }
    EXPECT_GT(wrong, 0) << static_cast<int>(lacks);
  }
}

}  // namespace
}  // namespace reloadlab::sim::explore
