// Every scenario with a sleep behind its first load: the reference notices nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/law/law.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

bool is_ok(const Step& step) { return step.outcome == Step::Outcome::ok && !step.fault && !step.abort_after; }

bool brings_everything(const Step& step) {
  const LoadPlan& plan = step.plan;
  return step.kind == StepKind::reload && is_ok(step) && plan.only.empty() && plan.omit.empty() && plan.wrong.empty() &&
         plan.resolve != LoadPlan::Resolve::before_prepare;
}

// Contents are lost where a whole checkpoint comes next. False: the case has no first load that goes through.
bool put_to_sleep(Case& the_case) {
  std::vector<Step>& steps = the_case.steps;
  const auto load = std::ranges::find(steps, StepKind::load, &Step::kind);
  if (load == steps.end() || !is_ok(*load) || the_case.sleeps() || the_case.world == WorldKind::meta) return false;
  const auto next = std::next(load);
  const int level = next != steps.end() && brings_everything(*next) ? 2 : 1;
  steps.insert(next, {{.kind = StepKind::sleep, .level = level}, {.kind = StepKind::wake}});
  the_case.laws = {"cold_load_equal", "return_exact", "address_stable"};
  return true;
}

struct Everywhere : ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Sleep, Everywhere, ::testing::Values("layerwise", "online_quant"));

TEST_P(Everywhere, IsNotNoticed) {
  const std::string system = GetParam();
  const auto files = find_scenarios({RELOADLAB_SOURCE_DIR "/scenarios/" + system});
  ASSERT_TRUE(files.ok());
  const auto candidate = find_candidate(system + "@hardened");
  ASSERT_TRUE(candidate.ok());
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  int played = 0;
  for (const auto& file : *files) {
    auto cases = read_scenario(file, options);
    ASSERT_TRUE(cases.ok()) << cases.status().message();
    for (Case& the_case : *cases) {
      if (!lacks(the_case, Gpus()).empty() || !put_to_sleep(the_case)) continue;  // no GPU is asked for here
      const auto evidence = replay(the_case, *candidate, {});
      ASSERT_TRUE(evidence.ok()) << the_case.id() << ": " << evidence.status().message();
      for (const Verdict& verdict : judge(*evidence))
        EXPECT_NE(verdict.outcome, Outcome::fail) << the_case.id() << ", " << verdict.law << ": " << verdict.finding->what;
      ++played;
    }
  }
  EXPECT_GT(played, 50);
}

}  // namespace
}  // namespace reloadlab::sim
