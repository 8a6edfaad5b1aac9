#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kDerivedFresh = "derived_fresh";

// The norm is derived from fc.weight: its post-load step runs at finish.
Fixture deriving() {
  Fixture fixture;
  for (Census& census : fixture.warm().ranks[0].censuses) census.derived[0].sources = {"fc.weight"};
  for (int step : {kToB, kToA}) fixture.insert_after(event_at(step, EventKind::finish_begin), {EventKind::post_load_begin, step, -1, 1});
  return fixture;
}

std::string judged(const Fixture& fixture) { return text(fixture.judge(kDerivedFresh)); }

TEST(DerivedFresh, WhatEqualsItsRecomputationAndCameAfterItsSourcesPasses) { EXPECT_EQ(judged(deriving()), "pass"); }

TEST(DerivedFresh, AStaleElementIsNamedWithBothValues) {
  Fixture fixture = deriving();
  fixture.set(fixture.entry(kToB, "norm.weight"), 1, 10);
  EXPECT_EQ(judged(fixture),
            "fail: warm, rank 0, step 1, norm.weight: bf16 [2]: 1 of 2 elements differ: element 1, as fc.weight would give it now | "
            "[1] is 10, should be 110");
}

TEST(DerivedFresh, AHostNumberIsComparedToo) {
  Fixture fixture = deriving();
  CensusEntry& entry = fixture.entry(kToB, "norm.weight");
  entry.kind = CensusEntry::Kind::extra_host;
  entry.content = fixture.census(kToB).derived[0].content = nullptr;
  entry.host = 0.5, fixture.census(kToB).derived[0].host = 0.25;
  EXPECT_EQ(judged(fixture),
            "fail: warm, rank 0, step 1, norm.weight: the host value differs, as fc.weight would give it now | is 0.5, should be 0.25");
}

TEST(DerivedFresh, AStepThatRanBeforeTheLastSourceCameIsTooEarly) {
  Fixture early = deriving();
  early.erase(event_at(kToB, EventKind::post_load_begin, 1));
  early.insert_before(event_at(kToB, EventKind::load_begin, 0), {EventKind::post_load_begin, kToB, -1, 1});
  EXPECT_EQ(judged(early), "fail: warm, rank 0, step 1, norm.weight: was not derived again after fc.k had come");
  Fixture never = deriving();
  never.erase(event_at(kToA, EventKind::post_load_begin, 1));
  EXPECT_EQ(judged(never), "fail: warm, rank 0, step 2, norm.weight: was not derived again after fc.k had come");
}

TEST(DerivedFresh, LoadsThatBringNothingNewAreNoReasonToDerive) {
  Fixture fixture = deriving();
  fixture.erase(event_at(kToB, EventKind::post_load_begin, 1));
  for (const char* name : {"fc.q", "fc.k"}) fixture.load(kToB, name).fresh = 0;
  EXPECT_EQ(judged(fixture), "pass");
}

TEST(DerivedFresh, AModelThatDerivesNothingIsOutsideTheLaw) {
  Fixture fixture;
  fixture.each_rank_run([](Execution&, RankRun& run) {
    for (Census& census : run.censuses) census.derived.clear();
  });
  EXPECT_EQ(judged(fixture), "unsupported: nothing in the model is derived from what is still there");
}

}  // namespace
}  // namespace reloadlab::sim
