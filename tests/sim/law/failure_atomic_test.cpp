#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kFailureAtomic = "failure_atomic";

Execution& faulted(Fixture& fixture) { return fixture.run(Variation::Kind::fault); }

TEST(FailureAtomic, AFaultLeavesTheOldBytes) {
  Fixture fixture;
  fixture.set(fixture.entry(faulted(fixture), kToA, "fc.weight"), 0, 1);
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)),
            "fail: fault copy_back 1, rank 0, step 2, fc.weight: bf16 [4, 2]: 1 of 8 elements differ: row 0 | "
            "[0, 0] is 1, should be 101 as before the update, from B: fc.q [0, 0] | the step failed: injected fault");
}

TEST(FailureAtomic, AFaultLeavesTheOldAddresses) {
  Fixture fixture;
  fixture.entry(faulted(fixture), kToA, "norm.weight").storage = 9;
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)),
            "fail: fault copy_back 1, rank 0, step 2, norm.weight: is storage 9 at offset 0, was storage 1 at offset 0 | "
            "the step failed: injected fault");
}

TEST(FailureAtomic, OrItSaysThatTheModelIsUnusable) {
  Fixture fixture;
  fixture.set(fixture.entry(faulted(fixture), kToA, "fc.weight"), 0, 1);
  fixture.outcome(faulted(fixture), kToA).unusable = true;
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
}

TEST(FailureAtomic, ARetryEqualsAFirstTry) {
  Fixture wrong;
  wrong.set(wrong.entry(faulted(wrong), kRetry, "fc.weight"), 0, 3);
  EXPECT_EQ(text(wrong.judge(kFailureAtomic)),
            "fail: fault copy_back 1, rank 0, step 3, fc.weight: bf16 [4, 2]: 1 of 8 elements differ: row 0 | "
            "[0, 0] is 3, should be 1 as without the fault, from A: fc.q [0, 0]");
  Fixture refused;
  refused.outcome(faulted(refused), kRetry).status = Status(Code::misuse, "already armed");
  EXPECT_EQ(text(refused.judge(kFailureAtomic)), "fail: fault copy_back 1, rank 0, step 3, : the retry failed: already armed");
  Fixture unusable;
  unusable.outcome(faulted(unusable), kRetry).unusable = true;
  EXPECT_EQ(unusable.judge(kFailureAtomic).finding->what, "the retry went through, and yet the candidate calls the model unusable");
}

TEST(FailureAtomic, AFaultThatNeverStruckProvesNothing) {
  Fixture fixture;
  std::erase_if(faulted(fixture).ranks[0].events, [](const Event& event) { return event.kind == EventKind::fault; });
  fixture.set(fixture.entry(faulted(fixture), kRetry, "fc.weight"), 0, 3);
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
}

TEST(FailureAtomic, StepsEndAsTheScenarioSays) {
  Fixture failed;
  failed.outcome(kToB).status = Status(Code::failed, "no memory");
  EXPECT_EQ(text(failed.judge(kFailureAtomic)), "fail: warm, rank 0, step 1, : failed, should have gone through: no memory");
  Fixture misuse;
  misuse.warm().steps[kToB].outcome = Step::Outcome::error;
  EXPECT_EQ(text(misuse.judge(kFailureAtomic)), "fail: warm, rank 0, step 1, : went through, should have been refused");
  Fixture crash;
  crash.warm().steps[kToB].outcome = Step::Outcome::error;
  crash.outcome(kToB).status = Status(Code::failed, "vector::at"), crash.outcome(kToB).crashed = true;
  EXPECT_EQ(text(crash.judge(kFailureAtomic)), "fail: warm, rank 0, step 1, : an exception crossed the boundary: vector::at");
  Fixture stopped;
  stopped.warm().ranks[0].outcomes.pop_back();
  EXPECT_EQ(text(stopped.judge(kFailureAtomic)), "fail: warm, rank 0, step 2, : was never run");
  Fixture unusable;
  unusable.outcome(kToB).unusable = true;
  EXPECT_EQ(unusable.judge(kFailureAtomic).finding->what, "went through, and yet the candidate calls the model unusable");
}

TEST(FailureAtomic, OnlyAWholeUpdateHasToRepairAnUnusableModel) {
  Fixture fixture;
  fixture.outcome(kToB).unusable = fixture.outcome(kToA).unusable = true;
  fixture.outcome(kToB).status = Status(Code::failed, "given up"), fixture.warm().steps[kToB].outcome = Step::Outcome::error;
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->what, "went through, and yet the candidate calls the model unusable");
  fixture.plan().states.back().incomplete = true;
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
  fixture.outcome(kToB).unusable = false;
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->step, static_cast<int>(kToB));  // the old weights are not there
  fixture.warm().steps[kToB].outcome = Step::Outcome::ok, fixture.outcome(kToB).status = Status();
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->step, static_cast<int>(kToA));
}

TEST(FailureAtomic, WhereAnythingMayHappenTheCandidateMayCallTheModelUnusable) {
  Fixture fixture;
  fixture.outcome(kToB).unusable = true;
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->what, "went through, and yet the candidate calls the model unusable");
  fixture.warm().steps[kToB].outcome = Step::Outcome::unspecified;
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
}

// Step 2 is refused, as the scenario expects, and the model must stay at B.
Fixture refused() {
  Fixture fixture;
  fixture.warm().steps[kToA].outcome = Step::Outcome::error;
  fixture.outcome(kToA).status = Status(Code::rejected, "excess");
  fixture.plan().states[kToA].checkpoint = "B";
  std::erase_if(fixture.evidence.executions, [](const Execution& each) { return each.variation.kind == Variation::Kind::fault; });
  fixture.census(kToA).entries = fixture.census(kToB).entries;
  return fixture;
}

TEST(FailureAtomic, WhatIsRefusedChangesNothing) {
  EXPECT_EQ(text(refused().judge(kFailureAtomic)), "pass");
  Fixture fixture = refused();
  fixture.set(fixture.entry(kToA, "norm.weight"), 1, 10);
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)),
            "fail: warm, rank 0, step 2, norm.weight: bf16 [2]: 1 of 2 elements differ: element 1 | "
            "[1] is 10, should be 110 as before the update, from B: norm.weight [1] | the step failed: excess");
}

// The scenario means the step to go through; the candidate declares that it refuses such a step.
TEST(FailureAtomic, WhatIsRefusedByDeclarationChangesNothingToo) {
  Fixture fixture = refused();
  fixture.warm().steps[kToA].outcome = Step::Outcome::ok;
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->what, "failed, should have gone through: excess");
  fixture.plan().refusals = {{kToA, 2}};
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
  fixture.set(fixture.entry(kToA, "norm.weight"), 1, 10);
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->first, "[1] is 10, should be 110 as before the update, from B: norm.weight [1]");
  fixture.outcome(kToA).status = {};
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->what, "went through, should have been refused");
}

TEST(FailureAtomic, AnAbandonedUpdateLeavesWhatWasBeforeItsPrepare) {
  Fixture fixture = refused();
  fixture.warm().steps[kToB].kind = StepKind::prepare;
  fixture.warm().steps[kToA].kind = StepKind::abort;
  fixture.warm().steps[kToA].outcome = Step::Outcome::ok;
  fixture.outcome(kToA).status = {};
  EXPECT_EQ(fixture.judge(kFailureAtomic).finding->first, "[0, 0] is 101, should be 1 as before the update, from A: fc.q [0, 0]");
}

TEST(FailureAtomic, StepsThatChangeTheModelOnPurposeNeedNotRollBack) {
  for (StepKind kind : {StepKind::load, StepKind::destroy}) {
    Fixture fixture = refused();
    fixture.warm().steps[kToA].kind = kind;
    fixture.entry(kToA, "norm.weight").storage = 9;
    EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
  }
}

TEST(FailureAtomic, WhatGoesThroughWhereAnythingMayHappenIsNoRefusal) {
  Fixture fixture = refused();
  fixture.warm().steps[kToA].outcome = Step::Outcome::unspecified;
  fixture.outcome(kToA).status = {};
  fixture.set(fixture.entry(kToA, "norm.weight"), 1, 10);
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
}

TEST(FailureAtomic, AForwardMayBeRefusedWhileTheModelIsUnusable) {
  Fixture fixture;
  fixture.warm().steps[kToB].kind = StepKind::forward;
  fixture.outcome(kToB).status = Status(Code::failed, "the model may not be used");
  EXPECT_EQ(fixture.judge(kFailureAtomic).outcome, Outcome::fail);
  fixture.outcome(kToB).unusable = true;
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "pass");
}

TEST(FailureAtomic, ARunWithoutStepsProvesNothing) {
  Fixture fixture;
  for (Execution& execution : fixture.evidence.executions) execution.steps.clear();
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "inconclusive: the scenario has no steps");
}

TEST(FailureAtomic, TheRecordGoesThrough) {
  Fixture fixture;
  fixture.warm().ranks[0].outcomes.push_back({.step = -1, .status = Status(Code::failed, "no shape")});
  EXPECT_EQ(text(fixture.judge(kFailureAtomic)), "fail: warm, rank 0, step -1, : the record failed: no shape");
}

}  // namespace
}  // namespace reloadlab::sim
