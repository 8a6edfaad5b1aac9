#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kRanksAlike = "ranks_alike";

struct Equals : Fixture {
  Equals() : Fixture(2) {}
  RankRun& other() { return warm().ranks[1]; }
};

TEST(RanksAlike, EqualRanksPass) {
  Equals equals;
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
}

TEST(RanksAlike, WithoutEqualsThereIsNothingToSee) {
  Equals equals;
  equals.evidence.classes = {{.members = {0}, .played = {0}}, {.members = {1}, .played = {1}}};
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "unsupported: no two ranks are equal");
}

TEST(RanksAlike, WhatOneKeepsIsNamedWithItsEqual) {
  Equals equals;
  equals.other().outcomes[kToB].live_bytes += 64;
  EXPECT_NE(equals.judge(kRanksAlike).finding->what.find("bytes are alive, on rank 0, which is its equal"), std::string::npos);
  EXPECT_EQ(equals.judge(kRanksAlike).finding->rank, 1);
  EXPECT_EQ(equals.judge(kRanksAlike).finding->step, kToB);
}

TEST(RanksAlike, RanksGoByTheirNumbers) {
  Equals equals;
  equals.evidence.the_case.ranks = 8;
  equals.evidence.numbers = {3, 7};
  equals.evidence.classes = {{.members = {0, 1, 2, 3, 4, 5, 6, 7}, .played = {3, 7}}};
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
  equals.other().outcomes[kToB].live_allocations += 1;
  EXPECT_NE(equals.judge(kRanksAlike).finding->what.find("on rank 3, which is its equal"), std::string::npos);
}

TEST(RanksAlike, EveryKindOfDifferenceCounts) {
  const std::function<void(RankRun&)> differences[] = {
      [](RankRun& run) { run.outcomes[kToB].status = Status(Code::failed, "no"); },
      [](RankRun& run) { run.outcomes[kToB].unusable = true; },
      [](RankRun& run) { run.outcomes[kToB].extra_bytes_peak += 4; },
      [](RankRun& run) { run.censuses[kToB].flags += "x"; },
      [](RankRun& run) { run.censuses[kToB].entries.pop_back(); },
      [](RankRun& run) { run.censuses[kToB].entries[0].shape[0] += 1; },
      [](RankRun& run) { run.censuses[kToB].entries[0].loader = "wrapped"; },
      [](RankRun& run) { run.censuses[kToB].entries[0].on_meta = true; },
      [](RankRun& run) { std::ranges::find(run.events, EventKind::write_kernel, &Event::kind)->numel += 1; },
      [](RankRun& run) { std::erase_if(run.events, [](const Event& event) { return event.kind == EventKind::load_end; }); },
      [](RankRun& run) { std::erase_if(run.outcomes, [](const StepOutcome& outcome) { return outcome.step == kToA; }); },
  };
  for (size_t i = 0; i < std::size(differences); ++i) {
    Equals equals;
    differences[i](equals.other());
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail) << i;
  }
}

// As where experts are dealt out: each rank's layer is complete at another load, and that is where the fault strikes.
TEST(RanksAlike, AFaultMayStrikeEqualsAtAnotherLoadButEndsAlike) {
  Equals equals;
  std::erase_if(equals.other().events, [](const Event& event) { return event.kind == EventKind::load_end; });
  equals.other().outcomes[kToB].extra_bytes_peak += 4;
  EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail);
  for (Step& step : equals.warm().steps) step.fault = Fault{.at = Fault::At::post_load_enter};
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
  equals.other().outcomes[kToB].live_bytes += 64;
  EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail);
}

TEST(RanksAlike, ContentAndWhatTheCandidateSaysAreNotLookedAt) {
  Equals equals;
  equals.other().censuses[kToB].entries[0].content = nullptr;
  equals.other().events.push_back({.kind = EventKind::warning, .step = kToB});
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
}

TEST(RanksAlike, APeakMayBeElsewhereWhereTheArrivalOrderPutsIt) {
  Equals equals;
  equals.other().outcomes[kToB].extra_bytes_peak += 4;
  for (RankPlan::Peak& peak : equals.evidence.plan[1].peaks) peak.extra_bytes += peak.step == kToB ? 4 : 0;
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
}

// As where experts are dealt out, and of each rank's another projection comes twice.
TEST(RanksAlike, APeakMayBeElsewhereWhereLoadsFillOtherPlaces) {
  Equals equals;
  equals.other().outcomes[kToB].extra_bytes_peak += 4;
  auto& loads = equals.evidence.plan[1].loads;
  const auto load = std::ranges::find_if(loads, [](const PlannedLoad& each) { return each.step == kToB && !each.placements.empty(); });
  ASSERT_NE(load, loads.end());
  load->placements.front().target_start.front() += 1;
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
}

// The formula's highest is the same, and what it is before that is not.
TEST(RanksAlike, WhereLayersNeedNotBeMaterializedTheFormulaHasToBeTheSameAllTheWay) {
  for (const char* landing : {"materialized", "whole", "direct"}) {
    Equals equals;
    equals.evidence.declared["landing"] = landing;
    equals.other().outcomes[kToB].extra_bytes_peak += 4;
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail) << landing;
    equals.evidence.plan[1].peaks.insert(equals.evidence.plan[1].peaks.begin(), {kToB, 16, 0, 0});
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, landing == std::string_view("materialized") ? Outcome::fail : Outcome::pass) << landing;
  }
}

TEST(RanksAlike, WhereChunksStayTheFormulaHasToBeTheSameAllTheWay) {
  for (const bool reuses : {true, false}) {
    Equals equals;
    LoadPlan& arrival = equals.warm().steps[kToB].plan;
    arrival.chunk = 2, arrival.reuses = reuses;
    equals.other().outcomes[kToB].extra_bytes_peak += 4;
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail);
    equals.evidence.plan[1].peaks.insert(equals.evidence.plan[1].peaks.begin(), {kToB, 16, 0, 0});
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, reuses ? Outcome::fail : Outcome::pass);
  }
}

TEST(RanksAlike, WhatComesAgainIsWrittenAgainWhereItLandsAtOnceAndNoMoreThanThat) {
  for (const char* landing : {"whole", "direct"}) {
    Equals equals;
    equals.evidence.declared["landing"] = landing;
    Event& write = *std::ranges::find(equals.other().events, EventKind::write_kernel, &Event::kind);
    write.numel += 2;
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail) << landing;
    for (RankPlan& plan : equals.evidence.plan)  // two of its elements were there already
      for (PlannedLoad& load : plan.loads) load.fresh -= load.delivery == "fc.q" ? 2 : 0;
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, landing == std::string_view("direct") ? Outcome::pass : Outcome::fail) << landing;
    write.numel += 1;
    EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail) << landing;
  }
}

TEST(RanksAlike, FromAnUpdateOnThatBringsOneOfThemLessTheyAreNoLongerEqual) {
  Equals equals;
  equals.evidence.plan[1].missing.push_back({kToB, "fc", "weight", 2});
  equals.other().outcomes[kToB].live_bytes += 64;
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
}

TEST(RanksAlike, InTheMiddleOfAnUpdateOneMayHaveGotFurther) {
  Equals equals;
  equals.warm().steps[kToB].kind = StepKind::loads;
  equals.other().outcomes[kToB].live_bytes += 64;
  EXPECT_EQ(text(equals.judge(kRanksAlike)), "pass");
  equals.warm().steps[kToB].kind = StepKind::finish;
  EXPECT_EQ(equals.judge(kRanksAlike).outcome, Outcome::fail);
}

}  // namespace
}  // namespace reloadlab::sim
