#include "sim/fuzz/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "reference/model/kind.h"
#include "sim/fuzz/draw_quantized.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/scenario/same_case.h"

namespace reloadlab::sim::fuzz {
namespace {

constexpr uint64_t draws = 1500;

// Drawn once: most tests look at all of them.
const std::vector<Case>& drawn() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (uint64_t index = 0; index < draws; ++index) {
      Choices choices(seed_of(7, index));
      Result<Case> one = generate("layerwise", choices);
      if (!one.ok()) ADD_FAILURE() << one.status().message();
      if (one.ok()) all.push_back(*std::move(one));
    }
    return all;
  }();
  return cases;
}

int64_t count_steps(const std::function<bool(const Step&)>& fits) {
  int64_t count = 0;
  for (const Case& one : drawn()) count += std::ranges::count_if(one.steps, fits);
  return count;
}

TEST(Generate, EveryCaseIsAScenarioThatLintHasNothingToSayAbout) {
  ASSERT_EQ(drawn().size(), draws);
  for (const Case& one : drawn()) {
    const std::vector<std::string> said = lint({one});
    EXPECT_TRUE(said.empty()) << said.front() << "\n" << emit(one);
  }
}

TEST(Generate, EveryCaseOfTheOtherSystemsIsAScenarioToo) {
  for (const std::string& system : drawn_systems())
    for (uint64_t index = 0; index < 200; ++index) {
      Choices choices(seed_of(9, index));
      const Result<Case> one = generate(system, choices);
      ASSERT_TRUE(one.ok()) << one.status().message();
      EXPECT_EQ(one->system, system);
      EXPECT_TRUE(lint({*one}).empty()) << lint({*one}).front() << emit(*one);
    }
}

// What is played by the thousand was not written: it is what its file would give.
TEST(Generate, ACaseAsDrawnIsThatOfItsFile) {
  for (const std::string& system : drawn_systems())
    for (uint64_t index = 0; index < 200; ++index) {
      Choices choices(seed_of(10, index)), again(seed_of(10, index));
      const Case as_drawn = draw_case(system, choices);
      const Result<Case> as_read = generate(system, again);
      ASSERT_TRUE(as_read.ok()) << as_read.status().message();
      EXPECT_EQ(difference(as_drawn, *as_read), "") << emit(as_drawn);
      EXPECT_EQ(emit(as_drawn), emit(*as_read));
    }
}

// A capture that is refused has taken the graph before it.
TEST(Generate, RingsReplayGraphsThatAreThere) {
  int64_t replays = 0;
  for (uint64_t index = 0; index < 10 * draws; ++index) {
    Choices choices(seed_of(15, index));
    const Case one = draw_case("shared_series", choices);
    bool there = false;
    for (const Step& step : one.steps) {
      if (step.kind == StepKind::capture) there = step.outcome == Step::Outcome::ok;
      if (step.kind != StepKind::replay) continue;
      ++replays;
      EXPECT_TRUE(there) << emit(one);
    }
  }
  EXPECT_GT(replays, 100);
}

TEST(Generate, EverythingThatMayHappenToARingDoes) {
  std::set<StepKind> kinds;
  int64_t delayed = 0, refused = 0, wrong = 0, layerwise = 0, gaps = 0, padded = 0, refused_graphs = 0;
  for (uint64_t index = 0; index < draws; ++index) {
    Choices choices(seed_of(11, index));
    const Case one = draw_case("shared_series", choices);
    for (const Step& step : one.steps) {
      kinds.insert(step.kind);
      refused += step.kind == StepKind::load && step.outcome == Step::Outcome::error;
      wrong += !step.plan.wrong.empty(), layerwise += step.via == Via::layerwise;
      refused_graphs += step.kind == StepKind::capture && step.outcome == Step::Outcome::error;
    }
    delayed += one.delays.has_value(), gaps += !one.series[0].indices.empty();
    padded += one.model.layers.back().kind == "column_parallel_linear";
  }
  for (const StepKind kind : {StepKind::load, StepKind::pass, StepKind::reload, StepKind::reset, StepKind::drain, StepKind::host_sync,
                              StepKind::capture, StepKind::replay})
    EXPECT_TRUE(kinds.contains(kind)) << static_cast<int>(kind);
  for (const int64_t count : {delayed, refused, wrong, layerwise, gaps, padded, refused_graphs}) EXPECT_GT(count, 10);
}

TEST(Generate, UpdatesThatComeOnAnotherStreamArePlayedOnDevices) {
  int64_t streamed = 0, delayed = 0;
  for (uint64_t index = 0; index < draws; ++index) {
    Choices choices(seed_of(12, index)), again(seed_of(12, index));
    const Case one = draw_case("layerwise", choices), on_a_gpu = draw_case("layerwise", again, WorldKind::cuda);
    streamed += one.order_counts(), delayed += one.delays.has_value();
    EXPECT_EQ(one.world, one.order_counts() ? WorldKind::sim : WorldKind::cpu);
    EXPECT_EQ(on_a_gpu.world, WorldKind::cuda);
    EXPECT_EQ(on_a_gpu.delays, one.delays);
  }
  EXPECT_GT(streamed, 10);
  EXPECT_GT(delayed, 10);
  EXPECT_LT(streamed, static_cast<int64_t>(draws) / 4);
}

TEST(Generate, OnlineQuantizationHasSomethingToQuantize) {
  for (uint64_t index = 0; index < 100; ++index) {
    Choices choices(seed_of(9, index));
    const Result<Case> one = generate("online_quant", choices);
    ASSERT_TRUE(one.ok());
    EXPECT_TRUE(std::ranges::any_of(one->model.layers, [](const auto& layer) { return layer.quant != "none"; })) << emit(*one);
  }
}

TEST(Generate, TheSameAnswersGiveTheSameCase) {
  for (uint64_t index = 0; index < 100; ++index) {
    Choices choices(seed_of(7, index));
    const Result<Case> one = generate("layerwise", choices);
    Choices again(choices.answers());
    const Result<Case> same = generate("layerwise", again);
    ASSERT_TRUE(one.ok() && same.ok());
    EXPECT_EQ(emit(*same), emit(*one));
  }
}

TEST(Generate, WithoutAnyAnswerThereIsOneLayerAndOneReload) {
  Choices none{Answers()};
  const Result<Case> one = generate("layerwise", none);
  ASSERT_TRUE(one.ok()) << one.status().message();
  EXPECT_EQ(one->ranks, 1);
  EXPECT_EQ(one->model.layers.size(), 1U);
  EXPECT_EQ(one->steps.size(), 2U);
}

// Whatever changes answers gets cases, and no defects of the drawing.
TEST(Generate, AnswersThatNobodyDrewGiveScenariosToo) {
  Prng prng(3);
  for (uint64_t index = 0; index < 300; ++index) {
    Choices choices(seed_of(8, index));
    ASSERT_TRUE(generate("layerwise", choices).ok());
    Answers answers = choices.answers();
    answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(prng.below(answers.size())));
    for (auto& list : answers)
      if (!list.empty()) list[prng.below(list.size())] = static_cast<uint32_t>(prng.below(9));
    Choices changed(answers);
    const Result<Case> one = generate("layerwise", changed);
    EXPECT_TRUE(one.ok()) << one.status().message();
  }
}

TEST(Generate, EveryKindOfLayerIsMetAndEverySoundMethod) {
  std::set<std::string, std::less<>> kinds, methods;
  std::set<int> ranks;
  for (const Case& one : drawn()) {
    ranks.insert(one.ranks);
    for (const model::LayerSpec& layer : one.model.layers) kinds.insert(layer.kind), methods.insert(layer.quant);
  }
  for (const model::LayerKind* kind : model::layer_kinds()) EXPECT_TRUE(kinds.contains(kind->id())) << kind->id();
  for (const model::QuantInfo* method : sound_methods()) EXPECT_TRUE(methods.contains(method->id)) << method->id;
  EXPECT_EQ(ranks, (std::set<int>{1, 2, 3, 4}));
}

TEST(Generate, EverythingThatMayHappenToAnUpdateDoes) {
  const auto seen = [](std::string_view what, const std::function<bool(const Step&)>& fits) { EXPECT_GT(count_steps(fits), 20) << what; };
  seen("fault", [](const Step& step) { return step.fault.has_value(); });
  seen("abort", [](const Step& step) { return step.abort_after.has_value(); });
  seen("retry", [](const Step& step) { return step.kind == StepKind::retry; });
  seen("sleep", [](const Step& step) { return step.kind == StepKind::sleep; });
  seen("forward", [](const Step& step) { return step.kind == StepKind::forward; });
  seen("destroy", [](const Step& step) { return step.kind == StepKind::destroy; });
  seen("misuse", [](const Step& step) { return step.kind == StepKind::finish && step.outcome == Step::Outcome::error; });
  seen("buckets", [](const Step& step) { return step.kind == StepKind::loads && !step.plan.omit.empty(); });
  seen("partial", [](const Step& step) { return step.kind == StepKind::reload && !step.plan.only.empty(); });
  seen("duplicates", [](const Step& step) { return !step.plan.repeat.empty(); });
  seen("excess", [](const Step& step) { return !step.plan.excess.empty(); });
  seen("unknown", [](const Step& step) { return !step.plan.unknown.empty(); });
  seen("chunks", [](const Step& step) { return step.plan.chunk > 0 && step.plan.reuses; });
  seen("layouts", [](const Step& step) { return step.plan.layout != LoadPlan::Layout::dense; });
  seen("types", [](const Step& step) { return step.plan.dtype.has_value(); });
  seen("shuffled", [](const Step& step) { return step.plan.order == OrderKind::shuffled; });
}

// That is what swarms are for: where everything takes part a little, what needs much of one thing and nothing of another is never met.
TEST(Generate, SomeCasesHaveMuchOfOneThingAndNothingOfTheOthers) {
  const auto odd = [](const Step& step) {
    const LoadPlan& plan = step.plan;
    return step.fault || step.abort_after || step.kind == StepKind::sleep || step.outcome == Step::Outcome::error || !plan.repeat.empty() ||
           !plan.only.empty() || !plan.omit.empty() || !plan.excess.empty() || !plan.unknown.empty();
  };
  const auto plain = std::ranges::count_if(drawn(), [&](const Case& one) { return std::ranges::none_of(one.steps, odd); });
  EXPECT_GT(plain, static_cast<int64_t>(draws / 6));
  EXPECT_LT(plain, static_cast<int64_t>(draws * 9 / 10));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
