#include "sim/report/steps.h"

#include <gtest/gtest.h>

namespace reloadlab::tests {
namespace {

using namespace sim;

// Two layers, one rank after the other, one warm execution of [load A, reload to B].
class LastEvents : public testing::Test {
 protected:
  LastEvents() {
    evidence.layers = {"blocks.0.qkv", "norm"};
    evidence.executions.push_back(
        {.variation = {.kind = Variation::Kind::warm},
         .steps = {Step{.kind = StepKind::load, .plan = {.checkpoint = "A"}}, Step{.kind = StepKind::reload, .plan = {.checkpoint = "B"}}},
         .ranks = std::vector<RankRun>(2)});
    finding.execution = evidence.executions[0].variation.label();
    finding.step = 1;
  }
  void see(int rank, EventKind kind, int layer, std::string text = {}, int64_t numel = 0, int step = 1) {
    evidence.executions[0].ranks[static_cast<size_t>(rank)].events.push_back(
        {.kind = kind, .step = step, .layer = layer, .numel = numel, .text = std::move(text)});
  }
  void load(int rank, int layer, const std::string& name, int64_t numel) {
    see(rank, EventKind::load_begin, layer, name);
    see(rank, EventKind::load_counted, layer, "weight", numel);
  }
  Evidence evidence;
  Finding finding;
};

TEST_F(LastEvents, OneCellPerLoadWithWhatItLedTo) {
  load(0, 0, "blocks.0.q_proj.weight", 2048);
  load(0, 0, "blocks.0.k_proj.weight", 2048);
  for (const EventKind kind : {EventKind::completed, EventKind::processed, EventKind::copied_back}) see(0, kind, 0);
  see(0, EventKind::load_begin, 0, "blocks.0.v_proj.weight");
  see(0, EventKind::load_dropped, 0);
  const auto tails = last_events(evidence, finding);
  ASSERT_EQ(tails.size(), 1u);
  EXPECT_EQ(tails[0].events, (std::vector<std::string>{"q_proj.weight 2,048", "k_proj.weight 2,048 → complete → process → copy back",
                                                       "v_proj.weight dropped"}));
}

TEST_F(LastEvents, OnlyTheFindingsLayerAndStep) {
  see(0, EventKind::load_begin, 0, "blocks.0.q_proj.weight", 0, 0);
  load(0, 0, "blocks.0.q_proj.weight", 2048);
  load(0, 1, "norm.weight", 64);
  load(1, 1, "norm.weight", 64);
  finding.tensor = "norm.weight";
  const auto tails = last_events(evidence, finding);
  ASSERT_EQ(tails.size(), 2u);
  EXPECT_EQ(tails[0].events, std::vector<std::string>{"norm.weight 64"});
  EXPECT_EQ(tails[1].rank, 1);
}

// "excess", and that it is warned of: two events of one text.
TEST_F(LastEvents, AWarningIsShownOnceForACall) {
  load(0, 1, "norm.weight", 0);
  for (int i = 0; i < 2; ++i) see(0, EventKind::warning, 1, "weight already there");
  see(0, EventKind::warning, 1, "bias did not come");
  finding.tensor = "norm.weight";
  EXPECT_EQ(last_events(evidence, finding)[0].events,
            std::vector<std::string>{"norm.weight 0 → warns: weight already there → warns: bias did not come"});
}

TEST_F(LastEvents, WhatAFinishLedToOnOtherLayersIsLeftOut) {
  load(0, 1, "norm.weight", 64);
  see(0, EventKind::finish_begin, -1);
  for (const int layer : {0, 1}) see(0, EventKind::processed, layer), see(0, EventKind::copied_back, layer);
  finding.tensor = "norm.weight";
  EXPECT_EQ(last_events(evidence, finding)[0].events, (std::vector<std::string>{"norm.weight 64", "finish → process → copy back"}));
}

TEST_F(LastEvents, TheLastOnesWhenThereAreMany) {
  for (int i = 0; i < 9; ++i) load(0, 0, "w" + std::to_string(i), i);
  const auto tails = last_events(evidence, finding);
  ASSERT_EQ(tails[0].events.size(), 7u);
  EXPECT_EQ(tails[0].events.front(), "…");
  EXPECT_EQ(tails[0].events.back(), "w8 8");
}

TEST_F(LastEvents, NamesTellLayersApart) {
  load(0, 0, "blocks.0.k_proj.weight", 64);
  load(0, 0, "blocks.1.k_proj.weight", 64);
  load(0, 1, "blocks.1.norm.weight", 8);
  EXPECT_EQ(last_events(evidence, finding)[0].events,
            (std::vector<std::string>{"blocks.0.k_proj.weight 64", "blocks.1.k_proj.weight 64", "norm.weight 8"}));
}

TEST_F(LastEvents, AnUpdateInBucketsIsShownFromItsPrepare) {
  evidence.executions[0].steps = {Step{.kind = StepKind::load}, Step{.kind = StepKind::prepare}, Step{.kind = StepKind::loads},
                                  Step{.kind = StepKind::finish}};
  see(0, EventKind::prepare_begin, -1, {}, 0, 1);
  see(0, EventKind::load_begin, 0, "blocks.0.q_proj.weight", 0, 2);
  see(0, EventKind::finish_begin, -1, {}, 0, 3);
  finding.step = 3;
  EXPECT_EQ(last_events(evidence, finding)[0].events, (std::vector<std::string>{"prepare", "q_proj.weight", "finish"}));
}

TEST_F(LastEvents, AStepWithoutEventsShowsWhatCameBefore) {
  load(0, 1, "norm.weight", 64);
  evidence.executions[0].steps.push_back(Step{.kind = StepKind::destroy});
  finding.step = 2;
  EXPECT_EQ(last_events(evidence, finding)[0].events, (std::vector<std::string>{"before, in step 1", "norm.weight 64"}));
}

TEST_F(LastEvents, NothingWhenNothingHappened) { EXPECT_TRUE(last_events(Evidence{}, finding).empty()); }

TEST_F(LastEvents, StepInWords) {
  ASSERT_NE(finding_step(evidence, finding), nullptr);
  EXPECT_EQ(step_text(*finding_step(evidence, finding)), "reload to B");
  finding.step = 7;
  EXPECT_EQ(finding_step(evidence, finding), nullptr);
}

}  // namespace
}  // namespace reloadlab::tests
