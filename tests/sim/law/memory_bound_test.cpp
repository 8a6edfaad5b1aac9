#include "sim/law/memory_bound.h"

#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kMemoryBound = "memory_bound";

TEST(MemoryBound, ThePeakMustNotPassTheFormula) {
  Fixture fixture;
  fixture.outcome(kToB).extra_bytes_peak = 4096;
  fixture.plan().peaks[1].extra_bytes = 8192;  // of another update
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "fail: warm, rank 0, step 1, : 4,096 extra bytes at the peak, the formula allows 32");
}

TEST(MemoryBound, AScenariosLimitTakesTheFormulasPlace) {
  Fixture fixture;
  fixture.evidence.the_case.limits.extra_bytes = 16;
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "fail: warm, rank 0, step 1, : 32 extra bytes at the peak, the scenario's limit allows 16");
  fixture.evidence.the_case.limits.extra_bytes = 64;
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "pass");
}

PeakPair first_pair(const Fixture& fixture) { return memory_peaks(fixture.evidence).front(); }

// Loads of 8, 24 and 60 bytes, the last of which may fail at 70, and a finish that needs 90 and may fail at 95.
void plan_by_load(Fixture& fixture) { fixture.plan().peaks = {{kToB, 8, 0, 8}, {kToB, 24, 1, 24}, {kToB, 60, 2, 70}, {kToB, 90, -1, 95}}; }

TEST(MemoryBound, WhereEveryCallWentThroughTheFormulaIsOneNumber) {
  Fixture fixture;
  plan_by_load(fixture);
  EXPECT_EQ(first_pair(fixture).planned, 90);
  EXPECT_EQ(first_pair(fixture).planned_before, 90);
}

TEST(MemoryBound, AnUpdateThatALoadCallEndsMayNeedWhatThatCallCould) {
  Fixture fixture;
  plan_by_load(fixture);
  fixture.outcome(kToB).status = fixture.outcome(kToB).load_statuses[2] = Status(Code::failed, "the third");
  EXPECT_EQ(first_pair(fixture).planned, 70);
  EXPECT_EQ(first_pair(fixture).planned_before, 24);
}

TEST(MemoryBound, LoadsThatNeverCameNeedNothing) {
  Fixture fixture;
  plan_by_load(fixture);
  fixture.outcome(kToB).status = Status(Code::failed, "the second");
  fixture.outcome(kToB).load_statuses = {Status(), Status(Code::failed, "the second")};
  fixture.outcome(kToB).extra_bytes_peak = 25;
  EXPECT_EQ(first_pair(fixture).planned, 24);
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "fail: warm, rank 0, step 1, : 25 extra bytes at the peak, the formula allows 24");
}

TEST(MemoryBound, AFinishThatFailsMayNeedWhatItCould) {
  Fixture fixture;
  plan_by_load(fixture);
  fixture.outcome(kToB).status = Status(Code::failed, "the finish");
  EXPECT_EQ(first_pair(fixture).planned, 95);
  EXPECT_EQ(first_pair(fixture).planned_before, 60);
}

TEST(MemoryBound, NothingIsKept) {
  Fixture fixture;
  fixture.outcome(kToA).extra_bytes_after = 8;
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "fail: warm, rank 0, step 2, : 8 extra bytes are kept after the update");
}

TEST(MemoryBound, AnUpdateInPartsIsOneUpdate) {
  Fixture fixture;
  fixture.warm().steps[kToB].kind = StepKind::prepare;
  fixture.warm().steps[kToA].kind = StepKind::finish;
  fixture.outcome(kToA).extra_bytes_peak = 48;  // more than finish alone may need, less than the loads before it
  fixture.plan().peaks = {{kToB, 64}, {kToA, 0}};
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "pass");
  const std::vector<PeakPair> pairs = memory_peaks(fixture.evidence);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].seen, 48);
  EXPECT_EQ(pairs[0].planned, 64);
  EXPECT_EQ(pairs[0].update.first, kToB);
}

TEST(MemoryBound, AScenarioWithoutUpdatesNeedsNothing) {
  Fixture fixture;
  fixture.warm().steps.resize(1);
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "unsupported: the scenario updates nothing");
}

TEST(MemoryBound, AnUpdateThatWasNotMeasuredProvesNothing) {
  Fixture fixture;
  fixture.warm().ranks[0].outcomes.clear();
  EXPECT_EQ(text(fixture.judge(kMemoryBound)), "inconclusive: no update ran to its end");
}

}  // namespace
}  // namespace reloadlab::sim
