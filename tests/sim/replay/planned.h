#pragma once
// Plans of a tiny case.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/replay/plan.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {

class Planned : public testing::Test {
 protected:
  RankPlan plan(const std::vector<Step>& steps, bool backup = true) {
    return plan(steps, PlanPolicies{.backup = backup ? Backup::of_processed : Backup::none});
  }
  RankPlan plan(const std::vector<Step>& steps, const PlanPolicies& policies) {
    return make_plan(Catalogue(case_.model), unroll(steps), {0, 1}, policies);
  }

  static int64_t highest(const RankPlan& plan) {
    int64_t bytes = 0;
    for (const RankPlan::Peak& one : plan.peaks) bytes = std::max(bytes, one.extra_bytes);
    return bytes;
  }
  int64_t peak(const std::vector<Step>& steps, bool backup) { return highest(plan(steps, backup)); }

  Case case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b")});
  Step reload_ = reload_step("B");
};

}  // namespace reloadlab::sim
