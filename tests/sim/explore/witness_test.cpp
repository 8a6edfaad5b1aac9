#include "sim/explore/witness.h"

#include <gtest/gtest.h>

#include "sim/explore/flow.h"
#include "sim/explore/strategy.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

modelled::Kernel store(const CellsPtr& cells, size_t cell, uint64_t value) {
  modelled::Kernel kernel{.name = "store", .accesses = {cells->access(cell, true)}};
  kernel.run = [cells, cell, value] { cells->values[cell] = value; };
  return kernel;
}
modelled::Kernel copy(const CellsPtr& cells, size_t from, size_t to) {
  modelled::Kernel kernel{.name = "copy", .accesses = {cells->access(from, false), cells->access(to, true)}};
  kernel.run = [cells, from, to] { cells->values[to] = cells->values[from]; };
  return kernel;
}

// One stream reads cell 0 or writes it, and the other, which does not wait for that, writes it afterwards.
Program two_streams(bool reads, uint64_t first, uint64_t second) {
  return [=](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {first};
    cells->reads = {first};
    modelled::Stream &one = machine.stream(0, 0), &other = machine.new_stream(0);
    machine.issue(one, store(cells, 0, first));
    machine.wait(other, machine.record(one, "the first store"));
    machine.issue(one, reads ? read_cell(cells, 0, 0) : store(cells, 0, first));
    machine.issue(other, store(cells, 0, second));
    machine.drain();
    Outcome outcome = ended(machine, cells, "", {first});
    if (cells->values[0] != second) outcome.wrong.push_back({cells->access(0, false).region, "cell 0"});
    return outcome;
  };
}

// The same, where something else is wrong in any order: another read, whose cell nobody wrote.
Program beside_another_mistake(uint64_t second) {
  return [=](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {5, 0};
    cells->reads = {5, 0};
    machine.issue(machine.stream(0, 0), read_cell(cells, 0, 0));
    machine.issue(machine.stream(0, 0), read_cell(cells, 1, 1));
    machine.issue(machine.new_stream(0), store(cells, 0, second));
    machine.drain();
    return ended(machine, cells, "the other read is wrong", {5, 9});
  };
}

// What is read is copied from cell to cell before anybody looks at it; or the last cell is written over first.
Program handed_on(bool written_over) {
  return [=](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {5, 5, 5};
    cells->reads = {5};
    modelled::Stream& one = machine.stream(0, 0);
    machine.issue(one, copy(cells, 0, 1));
    machine.issue(one, copy(cells, 1, 2));
    if (written_over) machine.issue(one, store(cells, 2, 7));
    machine.issue(one, read_cell(cells, 0, 2));
    machine.issue(machine.new_stream(0), store(cells, 0, 6));
    machine.drain();
    return ended(machine, cells, "", {written_over ? 8u : 5u});  // where it was written over, what is read is wrong for another reason
  };
}

std::optional<Witness> witness_of(const Program& program) {
  const Execution run = run_with(program, modelled::replay({}));
  EXPECT_EQ(run.outcome.races.size(), 1u);
  return run.outcome.races.size() == 1 ? reverse_race(program, run, run.outcome.races[0]) : std::nullopt;
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
      const Race &race = run.outcome.races[0], &other = witness->run.outcome.races.at(0);
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
  const Race &race = run.outcome.races[0], &reversed = other->run.outcome.races[0];
  EXPECT_NE(reversed.first.actor, race.first.actor);
  EXPECT_EQ(reversed.earlier().actor, race.earlier().actor);
  EXPECT_EQ(reversed.later().actor, race.later().actor);
}

// What counts is what the pair read, and not whether the run is otherwise right.
TEST(Witness, ABenignRaceBesideAnotherMistakeIsBenign) {
  const auto benign = witness_of(beside_another_mistake(5)), wrong = witness_of(beside_another_mistake(6));
  ASSERT_TRUE(benign && wrong);
  EXPECT_FALSE(benign->wrong_bytes);
  EXPECT_TRUE(wrong->wrong_bytes);
}

TEST(Witness, WhatIsWrongByRacesAloneIsTold) {
  const Program alone = two_streams(true, 5, 6), beside = beside_another_mistake(6);
  const Execution right = run_with(alone, modelled::replay({}));
  const auto wrong = witness_of(alone), both = witness_of(beside);
  ASSERT_TRUE(wrong && both);
  EXPECT_NE(right.outcome.wrong.empty(), wrong->run.outcome.wrong.empty());
  EXPECT_TRUE(wrong_by_races(right) && wrong_by_races(wrong->run));
  EXPECT_FALSE(wrong_by_races(both->run));
}

TEST(Witness, BytesAreFollowedToWhereTheyAreRead) {
  const auto read = witness_of(handed_on(false)), lost = witness_of(handed_on(true));
  ASSERT_TRUE(read && lost);
  EXPECT_TRUE(read->wrong_bytes);
  EXPECT_FALSE(lost->wrong_bytes);
}

// The order that was seen may be the wrong one.
TEST(Witness, WrongInTheOrderThatWasSeenIsWrong) {
  const Program program = two_streams(true, 5, 6);
  const Execution run = run_with(program, modelled::round_robin());
  ASSERT_EQ(run.outcome.races.size(), 1u);
  const auto other = reverse_race(program, run, run.outcome.races[0]);
  ASSERT_TRUE(other && other->wrong_bytes);
  EXPECT_NE(run.outcome.wrong.empty(), other->run.outcome.wrong.empty()) << "one of the two orders is right";
  const auto back = reverse_race(program, other->run, other->run.outcome.races.at(0));
  EXPECT_TRUE(back && back->wrong_bytes);
}

// Every race of a ring that lacks an edge, found in one schedule, can be reversed; and one reversal at least gives wrong bytes.
TEST(Witness, EveryRaceOfARingHasOne) {
  for (Lacks lacks : {Lacks::wait, Lacks::fork, Lacks::right_wait}) {
    Program program = ring_program({.ranks = 2, .layers = 4, .prefetch = 1, .passes = 2, .lacks = lacks});
    Execution run = run_with(program, modelled::round_robin());
    ASSERT_FALSE(run.outcome.races.empty()) << static_cast<int>(lacks);
    int wrong = 0;
    for (const Race& race : run.outcome.races) {
      auto witness = reverse_race(program, run, race);
      ASSERT_TRUE(witness) << missing_edge(run, race);
      wrong += witness->wrong_bytes;
    }
    EXPECT_GT(wrong, 0) << static_cast<int>(lacks);
  }
}

}  // namespace
}  // namespace reloadlab::sim::explore
