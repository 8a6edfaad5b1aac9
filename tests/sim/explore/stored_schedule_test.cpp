#include "sim/explore/stored_schedule.h"

#include <gtest/gtest.h>

#include "tests/sim/explore/random_program.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

std::string refusal(std::string_view text) { return parse_schedule(text).status().message(); }

TEST(StoredSchedule, IsPrintedInRunsOfEqualChoices) {
  StoredSchedule schedule{{0, 0, 0, 1, 2, 2}, 0x5f3};
  EXPECT_EQ(print_schedule(schedule), "s1-0x3,1,2x2-00000000000005f3");
  EXPECT_EQ(print_schedule({{}, 1}), "s1--0000000000000001");
}

TEST(StoredSchedule, ComesBackFromItsText) {
  for (const modelled::Schedule& choices : {modelled::Schedule{}, modelled::Schedule{3}, modelled::Schedule{0, 0, 1, 0, 12, 12, 12}}) {
    StoredSchedule schedule{choices, 0xfedcba9876543210};
    auto back = parse_schedule(print_schedule(schedule));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->choices, choices);
    EXPECT_EQ(back->program, schedule.program);
  }
}

TEST(StoredSchedule, WhatIsNoScheduleIsRefusedWithItsPlace) {
  EXPECT_EQ(refusal("s2-0-0000000000000000"), "'s2-0-0000000000000000' is no schedule of version s1: it would begin with 's1-'");
  EXPECT_EQ(refusal("s1-0x,1-0000000000000000"), "column 6 of the schedule: expected choices as in 's1-0x12,1-' and 16 hexadecimal digits");
  for (const char* text : {"", "s1", "s1-0", "s1-0-12", "s1-0x0-0000000000000000", "s1-0,-0000000000000000", "s1-0-000000000000000g",
                           "s1-0x99999999999-0000000000000000", "s1--00000000000000001"})
    EXPECT_FALSE(parse_schedule(text).ok()) << text;
}

TEST(StoredSchedule, ReplaysItsRunExactly) {
  int compared = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Program program = program_of(RandomProgram(seed, 4));
    Execution run = run_with(program, modelled::random_choices(seed));
    auto again = replay_stored(program, *parse_schedule(print_schedule(stored(run))));
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->outcome.state, run.outcome.state);
    EXPECT_EQ(again->outcome.verdict, run.outcome.verdict);
    ASSERT_EQ(again->turns.size(), run.turns.size());
    for (size_t i = 0; i < run.turns.size(); ++i) EXPECT_EQ(again->turns[i].actor, run.turns[i].actor);
    ++compared;
  }
  EXPECT_EQ(compared, 60);
}

TEST(StoredSchedule, OfAnotherProgramIsRefused) {
  Program ring = ring_program({.ranks = 2, .layers = 2}), longer = ring_program({.ranks = 2, .layers = 3});
  StoredSchedule schedule = stored(run_with(ring, modelled::round_robin()));
  auto refused = [&](const Program& program, const StoredSchedule& other) {
    auto run = replay_stored(program, other);
    EXPECT_TRUE(run.ok() || run.status().code() == Code::data);
    return run.ok() ? "taken" : run.status().message();
  };
  std::string of_another = "the schedule is of another program: ";
  EXPECT_EQ(refused(ring, schedule), "taken");
  size_t count = schedule.choices.size();
  EXPECT_EQ(refused(longer, schedule), of_another + fmt::format("it has {} choices, and the program more", count));
  StoredSchedule bent = schedule, more = schedule, other = schedule;
  bent.choices[1] = 9;
  EXPECT_TRUE(refused(ring, bent).starts_with(of_another + "choice 1 takes option 9 of ")) << refused(ring, bent);
  more.choices.push_back(0);
  EXPECT_EQ(refused(ring, more), of_another + fmt::format("it has {} choices, and the program {}", count + 1, count));
  ++other.program;
  EXPECT_EQ(refused(ring, other), of_another + "as many choices, among other options");
}

}  // namespace
}  // namespace reloadlab::sim::explore
