// A candidate is judged by what it declares: whatever scenario a declared `reject` refuses, the refusal is what is expected.
#include <gtest/gtest.h>

#include "sim/candidate/candidate.h"
#include "sim/law/law.h"
#include "sim/replay/plan.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

std::vector<Case> layerwise_cases() {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  const auto files = find_scenarios({RELOADLAB_SOURCE_DIR "/scenarios/layerwise"});
  EXPECT_TRUE(files.ok()) << files.status().message();
  std::vector<Case> all;
  for (const std::filesystem::path& file : *files) {
    Result<std::vector<Case>> cases = read_scenario(file, options);
    EXPECT_TRUE(cases.ok()) << cases.status().message();
    std::move(cases->begin(), cases->end(), std::back_inserter(all));
  }
  return all;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = layerwise_cases();
  return all;
}

bool is_refused(const Case& the_case, const CandidateInfo& candidate) {
  return !make_plan(Catalogue(the_case.model), unroll(the_case.steps), {0, the_case.ranks}, PlanPolicies::declared(candidate.declared))
              .refusals.empty();
}

std::string verdicts_but_passes(const Case& the_case, const CandidateInfo& candidate) {
  const Result<Evidence> evidence = replay(the_case, candidate);
  if (!evidence.ok()) return evidence.status().message();
  std::string text;
  for (const Verdict& verdict : judge(*evidence)) {
    if (verdict.outcome == Outcome::inconclusive) text += verdict.law + ": " + verdict.reason + "\n";
    if (verdict.outcome == Outcome::fail) text += verdict.law + ": " + verdict.finding->tensor + " " + verdict.finding->what + "\n";
  }
  return text;
}

class DeclaredPolicy : public testing::TestWithParam<std::string> {};

TEST_P(DeclaredPolicy, RefusalsAreExpectedInEveryScenarioThatMeetsThem) {
  const Result<CandidateInfo> candidate = find_candidate("layerwise@hardened," + GetParam());
  ASSERT_TRUE(candidate.ok()) << candidate.status().message();
  int met = 0;
  for (const Case& the_case : cases()) {
    if (!is_refused(the_case, *candidate)) continue;
    ++met;
    EXPECT_EQ(verdicts_but_passes(the_case, *candidate), "") << the_case.id();
  }
  EXPECT_GT(met, 0) << "no scenario meets the refusal";
}

// What the hardened profile refuses on its own account is what its kernel bytes do not tell.
TEST(Declared, AShadowCompletesWhatIsRefusedWithoutOne) {
  const Result<CandidateInfo> plain = find_candidate("layerwise@hardened"), shadow = find_candidate("layerwise@hardened,shadow=keep");
  ASSERT_TRUE(plain.ok() && shadow.ok());
  int met = 0;
  for (const Case& the_case : cases()) {
    if (!is_refused(the_case, *plain)) continue;
    ++met;
    EXPECT_FALSE(is_refused(the_case, *shadow)) << the_case.id();
    EXPECT_EQ(verdicts_but_passes(the_case, *shadow), "") << the_case.id();
  }
  EXPECT_GT(met, 0) << "no scenario meets the refusal";
}

// However little of it a candidate needs, a limit is never passed; what fits goes through and is judged as any update.
class Limited : public testing::TestWithParam<std::string> {};

TEST_P(Limited, WhatFitsGoesThrough) {
  const Result<CandidateInfo> candidate = find_candidate("layerwise@hardened," + GetParam());
  ASSERT_TRUE(candidate.ok()) << candidate.status().message();
  int met = 0;
  for (const Case& the_case : cases()) {
    if (!the_case.limits.extra_bytes) continue;
    ++met;
    EXPECT_EQ(verdicts_but_passes(the_case, *candidate), "") << the_case.id();
  }
  EXPECT_GT(met, 0) << "no scenario has a limit";
}

INSTANTIATE_TEST_SUITE_P(Policies, Limited,
                         testing::Values("abort=backup", "abort=unusable", "landing=materialized,abort=unusable", "landing=direct",
                                         "landing=direct,abort=unusable"));

INSTANTIATE_TEST_SUITE_P(Policies, DeclaredPolicy,
                         testing::Values("excess=reject", "missing=reject", "unexpected=reject",
                                         "excess=reject,missing=reject,unexpected=reject"));

}  // namespace
}  // namespace reloadlab::sim
