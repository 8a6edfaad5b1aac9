#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kNoLeak = "no_leak";
constexpr int kFirstExtra = 3, kLastExtra = 5, kDestroy = 6;

Execution& repeat(Fixture& fixture) { return fixture.run(Variation::Kind::repeat, {}, 3); }

TEST(NoLeak, WhatGrowsIsNamedWithItsGrowth) {
  Fixture fixture;
  fixture.outcome(repeat(fixture), kLastExtra).live_bytes += 2048;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "fail: repeat 3, rank 0, step 5, : 2,048 more bytes alive after 2 more reloads than before");
}

TEST(NoLeak, LayersParametersAndAllocationsCount) {
  for (auto measure : {&StepOutcome::live_layers, &StepOutcome::live_parameters, &StepOutcome::live_allocations}) {
    Fixture fixture;
    fixture.outcome(repeat(fixture), kFirstExtra + 1).*measure += 1;
    EXPECT_EQ(fixture.judge(kNoLeak).outcome, Outcome::fail);
  }
}

TEST(NoLeak, WhatShrinksIsNotLevelEither) {
  Fixture fixture;
  fixture.outcome(repeat(fixture), kFirstExtra + 1).live_allocations -= 1;
  EXPECT_EQ(fixture.judge(kNoLeak).finding->what, "1 fewer allocation alive after 1 more reload than before");
}

TEST(NoLeak, WhatFailedUpdatesLeaveMayGoToAndFro) {
  for (const int64_t change : {-4, 4}) {
    Fixture fixture;
    Execution& run = repeat(fixture);
    for (int step = kFirstExtra; step <= kLastExtra; ++step) fixture.outcome(run, step).status = Status(Code::failed, "a copy back failed");
    fixture.outcome(run, kFirstExtra + 1).live_bytes += change;
    EXPECT_EQ(text(fixture.judge(kNoLeak)), "pass");
  }
}

TEST(NoLeak, WhatFailedUpdatesLeaveMayNotGrow) {
  Fixture fixture;
  Execution& run = repeat(fixture);
  fixture.outcome(run, kFirstExtra + 1).status = Status(Code::failed, "a copy back failed");
  fixture.outcome(run, kFirstExtra + 1).live_bytes += 4;
  fixture.outcome(run, kLastExtra).live_bytes += 8;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "fail: repeat 3, rank 0, step 5, : 4 more bytes alive after 1 more reload than before");
}

TEST(NoLeak, TheScenariosOwnReloadsMayKeepSomethingOnce) {
  Fixture fixture;
  fixture.outcome(repeat(fixture), kToB).live_bytes -= 64;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "pass");
}

TEST(NoLeak, NothingOutlivesTheModel) {
  Fixture fixture;
  fixture.outcome(repeat(fixture), kDestroy).live_layers = 2;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "fail: repeat 3, rank 0, step 6, : 2 layers outlive the model");
}

TEST(NoLeak, NothingOutlivesAModelThatTheScenarioItselfDestroys) {
  Fixture fixture;
  repeat(fixture).ranks[0] = {};
  fixture.warm().steps[kToA].kind = StepKind::destroy;
  for (auto count : {&StepOutcome::live_layers, &StepOutcome::live_parameters, &StepOutcome::live_allocations, &StepOutcome::live_bytes})
    fixture.outcome(kToA).*count = 0;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "pass");
  fixture.outcome(kToA).live_parameters = 5;
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "fail: warm, rank 0, step 2, : 5 parameters outlive the model");
}

TEST(NoLeak, WithoutRepetitionThereIsNothingToSee) {
  Fixture fixture;
  repeat(fixture).ranks[0] = {};
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "inconclusive: no reload was repeated and no model destroyed");
  std::erase_if(fixture.evidence.executions, [](const Execution& e) { return e.variation.kind == Variation::Kind::repeat; });
  EXPECT_EQ(text(fixture.judge(kNoLeak)), "unsupported: the scenario has no reload to repeat and destroys no model");
}

}  // namespace
}  // namespace reloadlab::sim
