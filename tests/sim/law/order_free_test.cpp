#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kOrderFree = "order_free";

TEST(OrderFree, AnotherOrderMustGiveTheSameBytes) {
  Fixture fixture;
  fixture.set(fixture.entry(fixture.run(Variation::Kind::order), kToA, "norm.weight"), 1, 3);
  EXPECT_EQ(text(fixture.judge(kOrderFree)),
            "fail: order 0, rank 0, step 2, norm.weight: bf16 [2]: 1 of 2 elements differ: element 1 | "
            "[1] is 3, should be 10 as in the scenario's own order, from A: norm.weight [1]");
}

TEST(OrderFree, AnOrderThatFailsIsADifference) {
  Fixture fixture;
  fixture.outcome(fixture.run(Variation::Kind::order), kToA).status = Status(Code::misuse, "q after k");
  EXPECT_EQ(text(fixture.judge(kOrderFree)), "fail: order 0, rank 0, step 2, : fails in this order only: q after k");
}

TEST(OrderFree, WhatFailedUpdatesLeaveIsNotCompared) {
  Fixture fixture;
  Execution& order = fixture.run(Variation::Kind::order);
  fixture.set(fixture.entry(order, kToA, "norm.weight"), 1, 3);
  fixture.outcome(order, kToA).status = fixture.outcome(kToA).status = Status(Code::failed, "its loader is bound");
  EXPECT_EQ(text(fixture.judge(kOrderFree)), "pass");
}

TEST(OrderFree, AScenarioWithOneOrderHasNothingToCompare) {
  Fixture fixture;
  std::erase_if(fixture.evidence.executions, [](const Execution& e) { return e.variation.kind == Variation::Kind::order; });
  EXPECT_EQ(text(fixture.judge(kOrderFree)), "unsupported: the scenario's loads have no other order");
}

TEST(OrderFree, AnExecutionThatStoppedProvesNothing) {
  Fixture fixture;
  fixture.run(Variation::Kind::order).ranks[0] = {};
  EXPECT_EQ(text(fixture.judge(kOrderFree)), "inconclusive: no step leaves the model at rest in both orders");
}

}  // namespace
}  // namespace reloadlab::sim
