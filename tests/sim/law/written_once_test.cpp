#include <gtest/gtest.h>

#include <cmath>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kWrittenOnce = "written_once";

CensusEntry& digits_of(Fixture& fixture, const std::string& path) { return fixture.entry(fixture.run(Variation::Kind::digit), kToB, path); }

TEST(WrittenOnce, AnElementFromTheWrongSourceIsNamedWithBothSources) {
  Fixture fixture;
  fixture.set(digits_of(fixture, "fc.weight"), 4, 2);  // number 2 is fc.q [0, 1]
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)),
            "fail: digit 0, rank 0, step 1, fc.weight: bf16 [4, 2]: 1 of 8 elements do not come from where they should: row 2 | "
            "[2, 0] holds fc.q [0, 1], should hold fc.k [0, 0]");
}

TEST(WrittenOnce, SwappedShardsOfEqualShapeAreSeen) {
  Fixture fixture;
  CensusEntry& weight = digits_of(fixture, "fc.weight");
  for (int element = 0; element < 8; ++element) fixture.set(weight, element, static_cast<float>((element + 4) % 8 + 1));
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "bf16 [4, 2]: 8 of 8 elements do not come from where they should: all rows");
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->first, "[0, 0] holds fc.k [0, 0], should hold fc.q [0, 0]");
}

TEST(WrittenOnce, ValuesThatAreNoDigitsAreToldApart) {
  Fixture poisoned;
  poisoned.set_bits(digits_of(poisoned, "norm.weight"), 0, 0xFFFF);
  EXPECT_EQ(poisoned.judge(kWrittenOnce).finding->first, "[0] holds poison: never written, should hold norm.weight [0]");
  Fixture summed;
  summed.set(digits_of(summed, "norm.weight"), 0, 4.5);
  EXPECT_EQ(summed.judge(kWrittenOnce).finding->first, "[0] holds 4.5, which no source element is, should hold norm.weight [0]");
  Fixture nobody;
  nobody.set(digits_of(nobody, "norm.weight"), 0, 0);
  EXPECT_EQ(nobody.judge(kWrittenOnce).finding->first, "[0] holds no source element, should hold norm.weight [0]");
}

TEST(WrittenOnce, ALayerWhoseKernelTensorNobodyWroteWasNeverProcessed) {
  Fixture fixture;
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "complete with norm.weight, and never processed");
}

// What a call did that failed is no completion; the next that touches the layer is.
TEST(WrittenOnce, AKernelWriteInALoadCallThatFailedIsNoCompletion) {
  Fixture fixture;
  fixture.insert_before(event_at(kToB, EventKind::load_begin, 0), {EventKind::write_kernel, kToB, 0, 0, 8, 0, "weight aten::copy_"});
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with fc.q, its last missing element arrives with fc.k");
  fixture.outcome(kToB).load_statuses[0] = Status(Code::failed, "injected fault");
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
}

TEST(WrittenOnce, ElementsThatNoLoadCoversAreNotJudged) {
  Fixture fixture;
  fixture.load(kToB, "norm.weight").placements[0].extent = {1};
  fixture.set(digits_of(fixture, "norm.weight"), 1, 0.25);
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
}

// A rank that takes the second half of what is delivered, as with tensor parallelism.
TEST(WrittenOnce, SourcesAreCountedFromWhereThePlacementStarts) {
  Fixture fixture;
  fixture.evidence.deliveries[2].shape = {4};
  for (int step : {kToB, kToA}) {
    fixture.load(step, "norm.weight").placements[0].source_start = {2};
    CensusEntry& norm = fixture.entry(fixture.run(Variation::Kind::digit), step, "norm.weight");
    fixture.set(norm, 0, 11), fixture.set(norm, 1, 12);
  }
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
  fixture.set(digits_of(fixture, "norm.weight"), 1, 10);
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->first, "[1] holds norm.weight [1], should hold norm.weight [3]");
}

TEST(WrittenOnce, LoadsThatWereRefusedOrWrongExpectNothing) {
  Fixture wrong;
  wrong.load(kToB, "norm.weight").wrong = true;
  wrong.erase(event_at(kToB, EventKind::write_kernel, 1));
  wrong.set(digits_of(wrong, "norm.weight"), 0, 77);
  EXPECT_EQ(text(wrong.judge(kWrittenOnce)), "pass");
  Fixture refused;
  refused.outcome(refused.run(Variation::Kind::digit), kToB).load_statuses[2] = Status(Code::rejected, "no");
  refused.set(digits_of(refused, "norm.weight"), 0, 77);
  EXPECT_EQ(text(refused.judge(kWrittenOnce)), "pass");
}

TEST(WrittenOnce, ALoadersTransformIsUndone) {
  Fixture fixture;
  using Transform = model::SlotSpec::Transform;
  fixture.evidence.transforms["norm.weight"] = Transform::negate;
  for (int step : {kToB, kToA})
    for (int element : {0, 1})
      fixture.set(fixture.entry(fixture.run(Variation::Kind::digit), step, "norm.weight"), element, static_cast<float>(-9 - element));
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
  fixture.evidence.transforms["norm.weight"] = Transform::negative_exp;
  EXPECT_EQ(fixture.judge(kWrittenOnce).outcome, Outcome::fail);
  for (int step : {kToB, kToA}) {
    CensusEntry& norm = fixture.entry(fixture.run(Variation::Kind::digit), step, "norm.weight");
    fixture.set(norm, 0, -8103.08f), fixture.set(norm, 1, -22026.47f);  // -exp(9), -exp(10)
  }
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
  // Infinite can only be the exponential of a large digit, and no digit is the logarithm of a positive number or of a fraction.
  for (float value : {-HUGE_VALF, 8103.08f, -0.75f}) {
    fixture.set(digits_of(fixture, "norm.weight"), 1, value);
    EXPECT_EQ(fixture.judge(kWrittenOnce).outcome, Outcome::fail) << value;
  }
}

// The layer fc gets a post-load step: what it was given is judged there, not what it made of it.
Fixture post_loaded() {
  Fixture fixture;
  fixture.evidence.the_case.model.layers[0].quant = "tile_permute";
  for (const char* name : {"A", "B"})
    for (int poison : {0, 1})
      fixture.run(Variation::Kind::cold, name, poison).ranks[0].events.push_back({EventKind::post_load_begin, 0, -1, 0});
  for (int step : {kToB, kToA}) fixture.insert_before(event_at(step, EventKind::write_kernel, 0), {EventKind::post_load_begin, step, 1, 0});
  Execution& digit = fixture.run(Variation::Kind::digit);
  for (int step : {kToB, kToA}) {
    CensusEntry& after = fixture.entry(digit, step, "fc.weight");
    digit.ranks[0].at_post_load.push_back({step, "fc.weight", after.shape, after.dtype, after.content});
    fixture.set(after, 0, 77);
  }
  return fixture;
}

TEST(WrittenOnce, ProvenanceIsReadAtTheEntryOfThePostLoadStep) {
  Fixture fixture = post_loaded();
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
  CensusEntry given = fixture.entry(kToB, "fc.weight");
  given.content = fixture.run(Variation::Kind::digit).ranks[0].at_post_load[0].content;
  fixture.set(given, 7, 1);
  fixture.run(Variation::Kind::digit).ranks[0].at_post_load[0].content = given.content;
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->first, "[3, 1] holds fc.q [0, 0], should hold fc.k [1, 1]");
}

TEST(WrittenOnce, CompletionBeforeTheLastMissingElementIsTooEarly) {
  Fixture fixture;
  fixture.insert_before([](const Event& event) { return event.step == kToB && event.kind == EventKind::load_end; },
                        {EventKind::write_kernel, kToB, 0, 0, 8, 0, "weight aten::copy_"});
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)),
            "fail: warm, rank 0, step 1, fc: processed with fc.q, its last missing element arrives with fc.k | "
            "completed at load 1 of 2: 4 elements counted, 4 of 8 distinct");
}

TEST(WrittenOnce, CompletionAfterTheLastMissingElementIsTooLate) {
  Fixture fixture;
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  fixture.insert_after(event_at(kToB, EventKind::finish_begin), {EventKind::write_kernel, kToB, -1, 1, 2, 0, "weight aten::copy_"});
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what,
            "processed at finish, its last missing element arrives with norm.weight (who means that declares completion=finish)");
}

TEST(WrittenOnce, ACompleteLayerMustBeProcessed) {
  Fixture fixture;
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "complete with norm.weight, and never processed");
}

TEST(WrittenOnce, AnIncompleteOrDeferredLayerIsDueAtFinish) {
  Fixture fixture;
  fixture.load(kToB, "norm.weight").completes = false;
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with norm.weight, it is due at finish, after norm.weight");
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  fixture.insert_after(event_at(kToB, EventKind::finish_begin), {EventKind::write_kernel, kToB, -1, 1, 2, 0, "weight aten::copy_"});
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
}

TEST(WrittenOnce, AnIncompleteLayerNeedNotBeProcessedAtAll) {
  Fixture fixture;
  fixture.load(kToB, "norm.weight").completes = false;
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
}

TEST(WrittenOnce, LayersThatShareStorageCompleteTogether) {
  Fixture fixture;
  fixture.each_rank_run([](Execution&, RankRun& run) {
    for (Census& census : run.censuses) census.entries[1].storage = census.entries[0].storage;
  });
  fixture.load(kToB, "fc.k").completes = fixture.load(kToA, "fc.k").completes = false;
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with fc.k, its last missing element arrives with norm.weight");
}

TEST(WrittenOnce, ACandidateMayDeclareThatItProcessesEverythingAtFinish) {
  Fixture fixture;
  fixture.declare("completion", "finish");
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with fc.k, it is due at finish, after fc.k");
}

Event write_of_fc(int load) { return {EventKind::write_kernel, kToB, load, 0, 4, 0, "weight aten::copy_"}; }

struct LandsAsItComes : Fixture {
  LandsAsItComes() { declare("landing", "direct"); }
};

TEST(WrittenOnce, LoadsThatLandAsTheyComeWriteBeforeTheirLayerIsComplete) {
  LandsAsItComes fixture;
  fixture.insert_after(event_at(kToB, EventKind::load_begin, 0), write_of_fc(0));
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
  fixture.declare("landing", "whole");
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with fc.q, its last missing element arrives with fc.k");
}

TEST(WrittenOnce, LoadsThatLandAsTheyComeAreAllThereWhenTheirLayerIsComplete) {
  LandsAsItComes late;
  late.insert_after(event_at(kToB, EventKind::load_begin, 1), write_of_fc(2));
  EXPECT_EQ(late.judge(kWrittenOnce).finding->what, "processed with norm.weight, its last missing element arrives with fc.k");
  LandsAsItComes at_finish;
  at_finish.insert_after(event_at(kToB, EventKind::finish_begin), write_of_fc(-1));
  EXPECT_EQ(at_finish.judge(kWrittenOnce).finding->what,
            "processed at finish, its last missing element arrives with fc.k (who means that declares completion=finish)");
}

TEST(WrittenOnce, WhatLandsAsItComesLandsNeitherBeforeItNorOutsideOfLoads) {
  LandsAsItComes outside;
  outside.insert_before(event_at(kToB, EventKind::load_begin, 0), write_of_fc(-1));
  EXPECT_EQ(outside.judge(kWrittenOnce).finding->what, "processed outside of loads and finish, its last missing element arrives with fc.k");
  LandsAsItComes before;
  before.insert_before(event_at(kToB, EventKind::load_begin, 1), {EventKind::write_kernel, kToB, 1, 1, 2, 0, "weight aten::copy_"});
  EXPECT_EQ(before.judge(kWrittenOnce).finding->what, "processed with fc.k, its last missing element arrives with norm.weight");
}

TEST(WrittenOnce, ALayerWithAPostLoadStepIsTouchedOnceHoweverOthersLand) {
  LandsAsItComes fixture;
  fixture.insert_after(event_at(kToB, EventKind::load_begin, 0), write_of_fc(0));
  for (Execution& execution : fixture.evidence.executions)
    if (execution.variation.kind == Variation::Kind::cold)
      execution.ranks[0].events.push_back({.kind = EventKind::post_load_begin, .step = kLoadA, .layer = 0});
  EXPECT_EQ(fixture.judge(kWrittenOnce).finding->what, "processed with fc.q, its last missing element arrives with fc.k");
}

TEST(WrittenOnce, AScenarioMayLeaveCompletionOpen) {
  Fixture fixture;
  fixture.erase(event_at(kToB, EventKind::write_kernel, 1));
  fixture.evidence.the_case.expect.completed = Expect::Completed::unspecified;
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "pass");
}

TEST(WrittenOnce, UpdatesThatFailedProveNothing) {
  Fixture fixture;
  for (int step : {kToB, kToA}) fixture.outcome(step).status = Status(Code::failed, "no");
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "unsupported: no update of the scenario went through");
}

TEST(WrittenOnce, AModelThatTakesNothingHasNoWrites) {
  Fixture fixture;
  fixture.plan().loads.clear();
  fixture.evidence.deliveries.clear();
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "unsupported: the model takes nothing from a checkpoint");
}

TEST(WrittenOnce, AScenarioWithoutUpdatesHasNoWrites) {
  Fixture fixture;
  fixture.plan().loads.clear();
  for (int step : {kToB, kToA}) fixture.warm().steps[static_cast<size_t>(step)].outcome = Step::Outcome::error;
  EXPECT_EQ(text(fixture.judge(kWrittenOnce)), "unsupported: no update of the scenario is meant to go through");
}

}  // namespace
}  // namespace reloadlab::sim
