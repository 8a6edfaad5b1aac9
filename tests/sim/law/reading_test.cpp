#include "sim/law/reading.h"

#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

Execution steps(std::initializer_list<StepKind> kinds) {
  Execution execution;
  for (StepKind kind : kinds) execution.steps.push_back({.kind = kind});
  return execution;
}

std::string ranges(const Execution& execution) {
  std::string text;
  for (const StepRange& update : updates_of(execution)) text += std::to_string(update.first) + "-" + std::to_string(update.last) + " ";
  return text;
}

using enum StepKind;

TEST(Reading, AnUpdateGoesFromItsPrepareToItsEnd) {
  EXPECT_EQ(ranges(steps({load, reload, reload})), "1-1 2-2 ");
  EXPECT_EQ(ranges(steps({load, prepare, loads, forward, loads, finish, reload})), "1-5 6-6 ");
  EXPECT_EQ(ranges(steps({load, prepare, loads, abort, retry})), "1-3 4-4 ");
  EXPECT_EQ(ranges(steps({load, prepare, loads, finish, prepare, abort})), "1-3 4-5 ");
}

TEST(Reading, AnEndWithoutABeginningReachesBackToTheUpdateBeforeIt) {
  EXPECT_EQ(ranges(steps({load, finish})), "1-1 ");
  EXPECT_EQ(ranges(steps({load, reload, loads, finish})), "1-1 2-3 ");
  EXPECT_EQ(ranges(steps({load, prepare, finish, finish})), "1-2 3-3 ");
}

TEST(Reading, RanksHoldOneCheckpointUnlessSomeOfThemRefusedItOrGotAPart) {
  Fixture fixture(2);
  EXPECT_TRUE(ranks_hold_one(fixture.evidence, kToB));
  EXPECT_FALSE(ranks_hold_one(fixture.evidence, kRetry));
  fixture.plan(1).states[kToB].checkpoint = "A";
  EXPECT_FALSE(ranks_hold_one(fixture.evidence, kToB));
  fixture.plan(1).states[kToA].partial = true;
  EXPECT_FALSE(ranks_hold_one(fixture.evidence, kToA));
}

TEST(Reading, ABeginThatIsToBeRefusedIsPartOfTheUpdateThatIsOpen) {
  Execution execution = steps({load, prepare, loads, prepare, loads, finish});
  EXPECT_EQ(ranges(execution), "3-5 ");
  execution.steps[3].outcome = Step::Outcome::error;
  EXPECT_EQ(ranges(execution), "1-5 ");
  execution = steps({load, prepare, finish, prepare, finish});
  execution.steps[3].outcome = Step::Outcome::error;
  EXPECT_EQ(ranges(execution), "1-2 3-4 ");
}

TEST(Reading, TheFirstLoadIsAnUpdateOfItsOwn) {
  const Execution execution = steps({load, load});
  EXPECT_EQ(update_of(execution, 1).first, 1);
  EXPECT_EQ(ranges(execution), "");
}

// Steps at which the model is at rest, for statuses that are ok but for the given one.
std::string resting(std::initializer_list<StepKind> kinds, int failed = -1, bool declared = false) {
  Fixture fixture;
  fixture.warm().steps = steps(kinds).steps;
  RankRun& run = fixture.warm().ranks[0];
  run = {};
  fixture.plan().states.clear();
  if (declared) fixture.plan().refusals = {{failed}};
  for (int step = 0; step < static_cast<int>(kinds.size()); ++step) {
    run.censuses.push_back({.step = step});
    run.outcomes.push_back({.step = step, .status = step == failed ? Status(Code::failed, "no") : Status()});
    fixture.plan().states.push_back({step, "A", false});
  }
  std::string text;
  for (const RestingState& state : resting_states(fixture.evidence, 0)) text += std::to_string(state.planned.step) + " ";
  return text;
}

TEST(Reading, TheModelRestsWhenNoUpdateIsOpen) {
  EXPECT_EQ(resting({load, reload, forward, reload}), "0 1 2 3 ");
  EXPECT_EQ(resting({load, prepare, loads, forward, finish, forward}), "0 4 5 ");
  EXPECT_EQ(resting({load, prepare, loads, abort}), "0 3 ");
  EXPECT_EQ(resting({load, prepare, reload}), "0 2 ");
}

TEST(Reading, AFinishThatFailsLeavesTheUpdateOpen) {
  EXPECT_EQ(resting({load, prepare, finish, forward}, 2), "0 ");
  EXPECT_EQ(resting({load, prepare, finish, forward, abort, forward}, 2), "0 4 5 ");
}

TEST(Reading, AFinishThatIsRefusedByDeclarationEndsTheUpdate) { EXPECT_EQ(resting({load, prepare, finish, forward}, 2, true), "0 2 3 "); }

TEST(Reading, AnUpdateThatIsRefusedByDeclarationIsNotMeantToGoThrough) {
  Fixture fixture;
  EXPECT_TRUE(went_through(fixture.evidence, 0, {kToA, kToA}));
  fixture.plan().refusals = {{kToA, 1}, {kToB}};
  EXPECT_FALSE(went_through(fixture.evidence, 0, {kToA, kToA}));
  EXPECT_FALSE(means_to_update(fixture.evidence, 0));
}

TEST(Reading, WhereSomethingIsMissingNothingRests) {
  Fixture fixture;
  EXPECT_EQ(resting_states(fixture.evidence, 0).size(), 3u);
  EXPECT_TRUE(resting_states(fixture.evidence, 1).empty());
  fixture.outcome(kToB).unusable = true;
  fixture.warm().ranks[0].censuses.pop_back();
  EXPECT_EQ(resting_states(fixture.evidence, 0).size(), 1u);
  fixture.plan().states[0].step = 7;
  EXPECT_TRUE(resting_states(fixture.evidence, 0).empty());
}

TEST(Reading, StepsOutsideTheListAreNone) {
  const Execution execution = steps({load});
  EXPECT_NE(step_at(execution, 0), nullptr);
  EXPECT_EQ(step_at(execution, -1), nullptr);
  EXPECT_EQ(step_at(execution, 1), nullptr);
}

TEST(Reading, AColdLoadShowsWhoHasAPostLoadStep) {
  Fixture fixture;
  EXPECT_FALSE(has_post_load(fixture.evidence, 0, "fc"));
  fixture.run(Variation::Kind::cold, "A").ranks[0].events.push_back({EventKind::post_load_begin, 0, -1, 0});
  EXPECT_TRUE(has_post_load(fixture.evidence, 0, "fc"));
  EXPECT_FALSE(has_post_load(fixture.evidence, 0, "norm"));
}

}  // namespace
}  // namespace reloadlab::sim
