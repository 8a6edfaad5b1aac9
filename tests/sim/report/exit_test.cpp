#include <gtest/gtest.h>

#include "sim/report/run_result.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

RunResult run_of(const std::vector<State>& states, const std::vector<End>& ends = {}) {
  RunResult run;
  CaseResult one;
  for (const State state : states) one.laws.push_back({.law = "x", .state = state});
  if (!states.empty()) run.cases.push_back(one);
  for (const End end : ends) run.cases.push_back({.end = end});
  return run;
}

TEST(ExitCode, ZeroWhenAllHeldOrFailsAsKnown) {
  EXPECT_EQ(exit_code(run_of({State::pass, State::known, State::unsupported}, {End::skipped})), Exit::held);
}

TEST(ExitCode, FourWhenNothingWasJudged) {
  EXPECT_EQ(exit_code(run_of({})), Exit::nothing_ran);
  EXPECT_EQ(exit_code(run_of({}, {End::skipped})), Exit::nothing_ran);
  EXPECT_EQ(exit_code(run_of({State::unsupported})), Exit::nothing_ran);
}

TEST(ExitCode, TheFirstThatAppliesWins) {
  std::vector<State> states{State::pass};
  const std::pair<State, Exit> worse[] = {{State::inconclusive, Exit::inconclusive},
                                          {State::flaky, Exit::flaky},
                                          {State::unexpected_pass, Exit::unexpected_pass},
                                          {State::fail, Exit::failed},
                                          {State::hang, Exit::hang}};
  for (const auto& [state, code] : worse) {
    states.insert(states.begin() + static_cast<long>(states.size() / 2), state);
    EXPECT_EQ(exit_code(run_of(states)), code) << state_name(state);
    EXPECT_EQ(exit_code(run_of(states, {End::bad_data})), code) << state_name(state);
  }
  EXPECT_EQ(exit_code(run_of(states, {End::bad_data, End::defect})), Exit::defect);
}

TEST(ExitCode, ACaseThatCouldNotBeReadIsNeverHeld) {
  EXPECT_EQ(exit_code(run_of({State::pass}, {End::bad_data})), Exit::bad_scenario);
  EXPECT_EQ(exit_code(run_of({}, {End::bad_data, End::skipped})), Exit::bad_scenario);
}

TEST(Names, EveryStateAndEndReadsBack) {
  for (const State state : kStates) EXPECT_EQ(state_from_name(state_name(state)), state);
  for (const End end : {End::judged, End::skipped, End::bad_data, End::defect}) EXPECT_EQ(end_from_name(end_name(end)), end);
  EXPECT_FALSE(state_from_name("passed"));
}

}  // namespace
}  // namespace reloadlab::tests
