#include "sim/law/memory_bound.h"

#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kLaw = "memory_bound";

TEST(MemoryBound, ThePeakMustNotPassTheFormula) {
  Fixture fixture;
  fixture.outcome(kToB).extra_bytes_peak = 4096;
  fixture.plan().peaks[1].extra_bytes = 8192;  // of another update
  EXPECT_EQ(text(fixture.judge(kLaw)), "fail: warm, rank 0, step 1, : 4,096 extra bytes at the peak, the formula allows 32");
}

TEST(MemoryBound, AScenariosLimitTakesTheFormulasPlace) {
  Fixture fixture;
  fixture.evidence.the_case.limits.extra_bytes = 16;
  EXPECT_EQ(text(fixture.judge(kLaw)), "fail: warm, rank 0, step 1, : 32 extra bytes at the peak, the scenario's limit allows 16");
  fixture.evidence.the_case.limits.extra_bytes = 64;
  EXPECT_EQ(text(fixture.judge(kLaw)), "pass");
}

TEST(MemoryBound, WhatAForwardRegisteredIsBackedUpToo) {
  Fixture fixture;
  CensusEntry late = fixture.entry(kLoadA, "norm.weight");
  late.path = "norm.late";
  fixture.census(kLoadA).entries.push_back(late);
  fixture.outcome(kToB).extra_bytes_peak = 36;
  EXPECT_EQ(text(fixture.judge(kLaw)), "pass");
  fixture.declare("abort", "none");
  EXPECT_EQ(fixture.judge(kLaw).outcome, Outcome::fail);
}

TEST(MemoryBound, NothingIsKept) {
  Fixture fixture;
  fixture.outcome(kToA).extra_bytes_after = 8;
  EXPECT_EQ(text(fixture.judge(kLaw)), "fail: warm, rank 0, step 2, : 8 extra bytes are kept after the update");
}

TEST(MemoryBound, AnUpdateInPartsIsOneUpdate) {
  Fixture fixture;
  fixture.warm().steps[kToB].kind = StepKind::prepare;
  fixture.warm().steps[kToA].kind = StepKind::finish;
  fixture.outcome(kToA).extra_bytes_peak = 48;  // more than finish alone may need, less than the loads before it
  fixture.plan().peaks = {{kToB, 64}, {kToA, 0}};
  EXPECT_EQ(text(fixture.judge(kLaw)), "pass");
  const std::vector<PeakPair> pairs = memory_peaks(fixture.evidence);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].seen, 48);
  EXPECT_EQ(pairs[0].planned, 64);
  EXPECT_EQ(pairs[0].update.first, kToB);
}

TEST(MemoryBound, AScenarioWithoutUpdatesNeedsNothing) {
  Fixture fixture;
  fixture.warm().steps.resize(1);
  EXPECT_EQ(text(fixture.judge(kLaw)), "unsupported: the scenario updates nothing");
}

TEST(MemoryBound, AnUpdateThatWasNotMeasuredProvesNothing) {
  Fixture fixture;
  fixture.warm().ranks[0].outcomes.clear();
  EXPECT_EQ(text(fixture.judge(kLaw)), "inconclusive: no update ran to its end");
}

}  // namespace
}  // namespace reloadlab::sim
