#include "sim/replay/limits.h"

#include <gtest/gtest.h>

#include "sim/candidate/candidate.h"
#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

// Needs 192 bytes of what was loaded and 192 of its copy back, and with a backup 192 more.
Case limited(int64_t bytes) {
  Case the_case = tiny_case({linear_layer("b")});
  the_case.steps = {load_step("A"), reload_step("B")};
  the_case.steps[1].outcome = Step::Outcome::error;
  the_case.limits.extra_bytes = bytes;
  return the_case;
}

Evidence evidence_of(const Case& the_case, const std::string& candidate) {
  return *replay(the_case, *find_candidate("layerwise@hardened," + candidate));
}

Step::Outcome meant(const Evidence& evidence) { return evidence.executions.front().steps[1].outcome; }
Outcome judged(const Evidence& evidence) { return find_law("failure_atomic")->judge(evidence).outcome; }

TEST(Limit, WhatNeedsMoreIsRefusedAndWhatFitsIsToGoThrough) {
  const Evidence refused = evidence_of(limited(400), "landing=materialized");
  EXPECT_EQ(meant(refused), Step::Outcome::error);
  EXPECT_EQ(judged(refused), Outcome::pass);
  const Evidence fits = evidence_of(limited(400), "landing=materialized,abort=unusable");
  EXPECT_EQ(meant(fits), Step::Outcome::ok);
  EXPECT_EQ(judged(fits), Outcome::pass);
}

TEST(Limit, WhatNeedNotMaterializeMayGoThroughWhereTheFormulaDoesNotFit) {
  const Evidence direct = evidence_of(limited(250), "landing=direct,abort=unusable");
  EXPECT_EQ(meant(direct), Step::Outcome::ok);
  EXPECT_EQ(judged(direct), Outcome::pass);
  EXPECT_EQ(find_law("cold_load_equal")->judge(direct).outcome, Outcome::pass);
  EXPECT_EQ(meant(evidence_of(limited(250), "landing=materialized,abort=unusable")), Step::Outcome::error);
  EXPECT_EQ(meant(evidence_of(limited(100), "landing=direct,abort=unusable")), Step::Outcome::error);
}

TEST(Limit, AStepThatIsRefusedForAnotherReasonStaysRefused) {
  Case the_case = limited(400);
  EXPECT_TRUE(is_refused_for_memory(the_case, the_case.steps[1]));
  the_case.steps[1].plan.wrong.emplace_back();
  EXPECT_FALSE(is_refused_for_memory(the_case, the_case.steps[1]));
  the_case = limited(400);
  the_case.steps[1].fault.emplace();
  EXPECT_FALSE(is_refused_for_memory(the_case, the_case.steps[1]));
  the_case = limited(400);
  the_case.limits.extra_bytes.reset();
  EXPECT_FALSE(is_refused_for_memory(the_case, the_case.steps[1]));
}

}  // namespace
}  // namespace reloadlab::sim
