#include "sim/fuzz/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/fuzz/planted.h"

namespace reloadlab::sim::fuzz {
namespace {

// The answers of the first drawn case that holds and is not small.
Answers found(const std::function<bool(const Case&)>& holds) {
  for (uint64_t index = 0; index < 20'000; ++index) {
    Choices choices(seed_of(11, index));
    const Result<Case> one = generate("layerwise", choices);
    if (one.ok() && one->ranks > 1 && one->model.layers.size() > 2 && one->steps.size() > 3 && holds(*one)) return choices.answers();
  }
  ADD_FAILURE() << "no drawn case holds";
  return {};
}

Shrunk shrunk(const std::function<bool(const Case&)>& holds, const ShrinkLimits& limits = {.tries = 5000}) {
  Result<Shrunk> result = shrink("layerwise", found(holds), holds, limits);
  EXPECT_TRUE(result.ok());
  EXPECT_TRUE(holds(result->the_case)) << emit(result->the_case);
  return *std::move(result);
}

TEST(Shrink, KeepsTheLayerThatMattersAndNothingElse) {
  const Shrunk one = shrunk([](const Case& it) { return count_kind(it, "composed") > 0; });
  EXPECT_TRUE(one.ended);
  EXPECT_EQ(one.the_case.ranks, 1);
  ASSERT_EQ(one.the_case.model.layers.size(), 1U) << emit(one.the_case);
  EXPECT_EQ(one.the_case.model.layers[0].integer("size"), 4);
  EXPECT_EQ(one.the_case.steps.size(), 2U) << emit(one.the_case);
}

TEST(Shrink, KeepsTheStepThatMatters) {
  const Shrunk one =
      shrunk([](const Case& it) { return std::ranges::any_of(it.steps, [](const Step& step) { return step.fault.has_value(); }); });
  EXPECT_EQ(one.the_case.model.layers.size(), 1U) << emit(one.the_case);
  EXPECT_LE(one.the_case.steps.size(), 3U) << emit(one.the_case);
}

TEST(Shrink, KeepsAsManyRanksAndLayersAsItTakes) {
  const Shrunk one = shrunk([](const Case& it) { return it.ranks >= 2 && count_kind(it, "norm") >= 2; });
  EXPECT_EQ(one.the_case.ranks, 2);
  EXPECT_EQ(one.the_case.model.layers.size(), 2U) << emit(one.the_case);
}

// As where windows must not divide the layers.
TEST(Shrink, LeavesOutTwoWhereOneAloneCannotGo) {
  const auto holds = [](const Case& it) {
    const size_t layers = it.series[0].layers.size();
    return layers % 2 == 1 && layers >= 3 && std::ranges::count(it.steps, StepKind::capture, &Step::kind) > 0;
  };
  Answers answers;
  for (uint64_t index = 0; answers.empty(); ++index) {
    Choices choices(seed_of(11, index));
    const Result<Case> one = generate("shared_series", choices);
    if (one.ok() && one->series[0].layers.size() == 7 && holds(*one)) answers = choices.answers();
  }
  const Result<Shrunk> one = shrink("shared_series", answers, holds, {.tries = 5000});
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->the_case.model.layers.size(), 3U) << emit(one->the_case);
}

// Ranks are worth more than layers: where one can be had for the other, ranks go.
TEST(Shrink, HasFewerRanksRatherThanFewerLayers) {
  const Shrunk one = shrunk([](const Case& it) { return it.ranks + static_cast<int>(it.model.layers.size()) >= 4; });
  EXPECT_EQ(one.the_case.ranks, 1);
  EXPECT_EQ(one.the_case.model.layers.size(), 3U) << emit(one.the_case);
}

TEST(Shrink, GivesAnswersThatGiveTheCase) {
  const Shrunk one = shrunk([](const Case& it) { return count_kind(it, "fused_experts") > 0; });
  Choices choices(one.answers);
  const Result<Case> again = generate("layerwise", choices);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(emit(*again), emit(one.the_case));
}

TEST(Shrink, EndsWhenItsTriesAreUsedUpAndSaysSo) {
  const Shrunk one = shrunk([](const Case& it) { return count_kind(it, "composed") > 0; }, {.tries = 3});
  EXPECT_FALSE(one.ended);
  EXPECT_EQ(one.tries, 3);
}

TEST(Shrink, EndsWhenItsTimeIsUpAndSaysSo) {
  int tries = 0;
  const auto holds = [&](const Case& it) { return ++tries, count_kind(it, "composed") > 0; };
  const Answers answers = found(holds);
  tries = 0;
  const Result<Shrunk> one = shrink("layerwise", answers, holds, {.tries = 5000, .time_is_up = [&] { return tries >= 3; }});
  ASSERT_TRUE(one.ok());
  EXPECT_FALSE(one->ended);
  EXPECT_EQ(one->tries, 3);
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
