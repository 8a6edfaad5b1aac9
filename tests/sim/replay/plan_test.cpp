#include "sim/replay/plan.h"

#include <gtest/gtest.h>

#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

class Plan : public testing::Test {
 protected:
  RankPlan plan(const std::vector<Step>& steps, bool backup = true) { return plan(steps, PlanPolicies{.backup = backup}); }
  RankPlan plan(const std::vector<Step>& steps, const PlanPolicies& policies) {
    return make_plan(Catalogue(case_.model), unroll(steps), {0, 1}, policies);
  }

  Case case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b")});
  Step reload_ = reload_step("B");
};

TEST_F(Plan, TheLastMissingShardCompletesItsLayer) {
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.loads.size(), 4U);
  EXPECT_EQ(result.loads[0].fresh, 16 * 16);
  EXPECT_FALSE(result.loads[1].completes);
  EXPECT_TRUE(result.loads[2].completes);
  EXPECT_TRUE(result.loads[3].completes);
}

TEST_F(Plan, ARepeatedShardAddsNothing) {
  reload_.plan.repeat = {{"a.q_proj.weight", 2}};
  const RankPlan result = plan({reload_});
  EXPECT_EQ(result.loads[1].fresh, 0);
  EXPECT_TRUE(result.loads[1].excess);
  EXPECT_FALSE(result.loads[2].completes);
  EXPECT_TRUE(result.loads[3].completes);
}

TEST_F(Plan, WhatIsLeftOutIsMissingAndTheStateIsPartial) {
  reload_.plan.omit = {"a.v_proj.weight"};
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.missing.size(), 1U);
  EXPECT_EQ(result.missing[0].slot, "weight");
  EXPECT_EQ(result.missing[0].elements, 8 * 16);
  EXPECT_TRUE(result.states.back().partial);
  EXPECT_EQ(result.states.back().checkpoint, "B");
}

TEST_F(Plan, AStepThatIsMeantToFailLeavesTheStateAsItWas) {
  reload_.outcome = Step::Outcome::error;
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.states.size(), 2U);
  EXPECT_EQ(result.states[1].checkpoint, "A");
}

// Excess ends the update at the load that brings it: nothing after it is sent, and nothing of it stays.
TEST_F(Plan, DeclaredRejectionOfExcessEndsTheUpdateThere) {
  reload_.plan.repeat = {{"a.q_proj.weight", 2}};
  const RankPlan result = plan({load_step("A"), reload_}, {.rejects_excess = true});
  ASSERT_EQ(result.loads.size(), 2U);
  EXPECT_TRUE(result.loads[1].excess);
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].step, 1);
  EXPECT_EQ(result.refusals[0].load, 1);
  EXPECT_EQ(result.states[1].checkpoint, "A");
  EXPECT_TRUE(result.missing.empty());
}

TEST_F(Plan, DeclaredRejectionOfWhatIsMissingRefusesTheEndAndProcessesNothingThere) {
  reload_.plan.omit = {"a.v_proj.weight", "b.weight"};
  const RankPlan result = plan({load_step("A"), reload_}, {.rejects_missing = true});
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].load, -1);
  EXPECT_EQ(result.states[1].checkpoint, "A");
  EXPECT_FALSE(result.states[1].partial);
  EXPECT_EQ(result.peaks[0].extra_bytes, 512 + 256);  // q and k were buffered, and that is all
}

TEST_F(Plan, DeclaredRejectionOfUnknownNamesRefusesThem) {
  reload_.plan.unknown = {"lora.weight"};
  EXPECT_EQ(plan({load_step("A"), reload_}, {.rejects_unexpected = true}).refusals.at(0).load, 4);
  EXPECT_TRUE(plan({load_step("A"), reload_}, {.rejects_excess = true, .rejects_missing = true}).refusals.empty());
}

// A refused load call leaves its update open, with what came before it.
TEST_F(Plan, AnUpdateMayEndWellAfterARefusedLoadCall) {
  Step loads{.kind = StepKind::loads};
  loads.plan = reload_.plan;
  loads.plan.excess = {"b.weight"};
  const RankPlan result = plan({load_step("A"), {.kind = StepKind::prepare}, loads, {.kind = StepKind::finish}},
                               {.rejects_excess = true, .rejects_missing = true});
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].step, 2);
  EXPECT_EQ(result.states.back().step, 3);
  EXPECT_EQ(result.states.back().checkpoint, "B");
  EXPECT_FALSE(result.states.back().partial);
}

// bf16: q 512 bytes, k and v 256 each, b 192; the kernel tensors have the same sizes.
TEST_F(Plan, ThePeakIsTheFormulaOfTheArrivalOrder) {
  const int64_t qkv = 1024, b = 192;
  EXPECT_EQ(plan({reload_}, false).peaks[0].extra_bytes, qkv + qkv);
  EXPECT_EQ(plan({reload_}, true).peaks[0].extra_bytes, qkv + qkv + qkv);
  reload_.plan.order = OrderKind::interleaved;  // q, b, k, v: b is processed while q is buffered
  EXPECT_EQ(plan({reload_}, true).peaks[0].extra_bytes, qkv + qkv + qkv + b);
}

TEST_F(Plan, RepeatIsWrittenOutAndRetryTakesThePlanOfItsUpdate) {
  Step repeat{.kind = StepKind::repeat, .times = 3, .body = {reload_}};
  const std::vector<Step> steps = unroll({repeat, Step{.kind = StepKind::retry}});
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[3].plan.checkpoint, "B");
}

}  // namespace
}  // namespace reloadlab::sim
