#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kWorkBound = "work_bound";

// Every cold load runs two operators in each of its three calls; the update to B as many as `warm` says.
Fixture with_costs(const std::vector<int64_t>& warm) {
  Fixture fixture;
  fixture.outcome(kToB).load_operators = warm;
  return fixture;
}

TEST(WorkBound, ALoadMayRunItsLoaderTwiceAndTakeNote) { EXPECT_EQ(text(with_costs({12, 0, 0}).judge(kWorkBound)), "pass"); }

TEST(WorkBound, MoreIsNotItsOwn) {
  EXPECT_EQ(text(with_costs({13, 0, 0}).judge(kWorkBound)),
            "fail: warm, rank 0, step 1, fc.weight: the load of fc.q ran 13 operators, its loader alone runs 2: at most 12 are its own");
}

TEST(WorkBound, WhatProcessesALayerIsNotJudged) {
  EXPECT_EQ(text(with_costs({12, 99, 99}).judge(kWorkBound)), "pass");
  Fixture early = with_costs({99, 0, 0});
  early.events().push_back({EventKind::write_kernel, kToB, 0, 0});
  EXPECT_EQ(text(early.judge(kWorkBound)), "pass");
}

TEST(WorkBound, WhatAFaultBreaksOffIsNotJudged) {
  Fixture broken = with_costs({99, 0, 0});
  broken.events().push_back({EventKind::fault, kToB, 0});
  EXPECT_EQ(text(broken.judge(kWorkBound)), "pass");
}

TEST(WorkBound, WithoutColdLoadsThereIsNothingToCompareWith) {
  Fixture fixture = with_costs({99, 0, 0});
  std::erase_if(fixture.evidence.executions, [](const Execution& e) { return e.variation.kind == Variation::Kind::cold; });
  EXPECT_EQ(text(fixture.judge(kWorkBound)), "unsupported: no load call of this case can be compared with a cold load");
}

}  // namespace
}  // namespace reloadlab::sim
