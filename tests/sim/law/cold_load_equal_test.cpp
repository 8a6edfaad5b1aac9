#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kColdLoadEqual = "cold_load_equal";
constexpr uint16_t kPoison = 0xFFFF;

// The first element of every row of fc.k arrives as fresh memory had it, because the layer completed without it.
Fixture half_loaded() {
  Fixture fixture;
  for (int element : {4, 5, 6, 7}) fixture.set_bits(fixture.entry(kToB, "fc.weight"), element, kPoison);
  auto& events = fixture.events();
  std::erase_if(events, event_at(kToB, EventKind::completed, 0));
  std::erase_if(events, event_at(kToB, EventKind::write_kernel, 0));
  fixture.insert_after(event_at(kToB, EventKind::load_counted, 0), {EventKind::completed, kToB, 0, 0});
  return fixture;
}

TEST(ColdLoadEqual, AnElementThatDiffersIsNamedWithBothValuesAndItsSource) {
  Fixture fixture;
  fixture.set(fixture.entry(kToB, "fc.weight"), 5, 7);
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, fc.weight: bf16 [4, 2]: 1 of 8 elements differ: row 2 | "
            "[2, 1] is 7, should be 106, from B: fc.k [0, 1]");
}

TEST(ColdLoadEqual, PoisonIsNamedAndTheMechanismExplained) {
  EXPECT_EQ(text(half_loaded().judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, fc.weight: bf16 [4, 2]: 4 of 8 elements differ: rows 2-3 | "
            "[2, 0] is nan (poison: never written), should be 105, from B: fc.k [0, 0] | "
            "completed at load 1 of 2: 4 elements counted, 4 of 8 distinct");
}

TEST(ColdLoadEqual, ARepeatedShardAndADroppedOneAreNamed) {
  Fixture fixture = half_loaded();
  PlannedLoad again = fixture.load(kToB, "fc.q");
  again.index = 1, again.fresh = 0, again.excess = true;
  fixture.load(kToB, "fc.k").index = 2;
  fixture.plan().loads.insert(fixture.plan().loads.begin() + 1, again);
  std::erase_if(fixture.events(), [](const Event& event) { return event.step == kToB && event.load == 1; });
  std::erase_if(fixture.events(), event_at(kToB, EventKind::completed, 0));
  fixture.insert_after(event_at(kToB, EventKind::load_counted, 0), {EventKind::load_counted, kToB, 1, 0, 4});
  fixture.insert_after([](const Event& event) { return event.load == 1 && event.kind == EventKind::load_counted; },
                       {EventKind::completed, kToB, 1, 0});
  fixture.insert_before(event_at(kToB, EventKind::finish_begin), {EventKind::load_dropped, kToB, 2, 0, 0, 0, "layer not armed"});
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->why,
            "completed at load 2 of 3: 8 elements counted, 4 of 8 distinct (fc.q arrived twice); fc.k was dropped (layer not armed)");
}

TEST(ColdLoadEqual, ALayerThatWasNeverProcessedIsExplained) {
  Fixture fixture;
  fixture.entry(kToB, "norm.weight") = fixture.entry(kLoadA, "norm.weight");
  for (const EventKind kind : {EventKind::completed, EventKind::write_kernel, EventKind::copied_back})
    std::erase_if(fixture.events(), event_at(kToB, kind, 1));
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, norm.weight: bf16 [2]: 2 of 2 elements differ: all elements | "
            "[0] is 9, should be 109, from B: norm.weight [0] | never processed: 2 of 2 elements arrived");
}

TEST(ColdLoadEqual, AFailedStepIsTheReason) {
  Fixture fixture;
  fixture.entry(kToB, "norm.weight") = fixture.entry(kLoadA, "norm.weight");
  fixture.outcome(kToB).status = Status(Code::failed, "out of luck");
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->why, "the step failed: out of luck");
}

TEST(ColdLoadEqual, GoneReshapedAndPlaceholderTensorsAreDifferences) {
  Fixture gone;
  gone.census(kToB).entries.pop_back();
  EXPECT_EQ(gone.judge(kColdLoadEqual).finding->what, "is gone");
  Fixture reshaped;
  reshaped.entry(kToB, "fc.weight").shape = {2, 4};
  EXPECT_EQ(reshaped.judge(kColdLoadEqual).finding->what, "is bf16 [2, 4], should be bf16 [4, 2]");
  Fixture placeholder;
  placeholder.entry(kToB, "fc.weight").on_meta = true;
  EXPECT_EQ(placeholder.judge(kColdLoadEqual).finding->what, "is on meta: it has no values");
  Fixture emptied;
  emptied.entry(kToB, "fc.weight").kind = CensusEntry::Kind::empty_parameter;
  EXPECT_EQ(emptied.judge(kColdLoadEqual).finding->what, "is an empty slot, should be bf16 [4, 2]");
}

TEST(ColdLoadEqual, StaleHostCopiesAreDifferences) {
  Fixture fixture;
  fixture.each_rank_run([](Execution&, RankRun& run) {
    for (Census& census : run.censuses)
      census.entries.push_back({.path = "norm.extra:scale", .layer = "norm", .kind = CensusEntry::Kind::extra_host, .host = 2});
  });
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.entry(kToB, "norm.extra:scale").host = 1.5;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, norm.extra:scale: the host value differs | is 1.5, should be 2");
}

TEST(ColdLoadEqual, BytesThatFollowThePoisonAreUninitialized) {
  Fixture fixture;
  // Both cold loads leave element 3 as they found it, so nothing is expected of its value, but nobody may see it either.
  for (const char* name : {"A", "B"})
    fixture.set_bits(fixture.entry(fixture.run(Variation::Kind::cold, name, 1), 0, "fc.weight"), 3, 0xA5A5);
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.set_bits(fixture.entry(kToB, "fc.weight"), 3, kPoison);
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: poison, rank 0, step 1, fc.weight: bf16 [4, 2]: 1 of 8 elements are uninitialized: row 1 | "
            "[1, 1] is 0xffff or 0x42d0, by what fresh memory held");
}

TEST(ColdLoadEqual, OutputsThatFollowThePoisonComeFromUninitializedMemory) {
  Fixture fixture;
  Execution& poison = fixture.run(Variation::Kind::poison, {}, 1);
  fixture.outcome(kToB).output = fixture.outcome(poison, kToB).output = fixture.entry(kToB, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.outcome(poison, kToB).output = fixture.entry(kToA, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "fail: poison, rank 0, step 1, : the forward's output depends on what fresh memory held");
}

TEST(ColdLoadEqual, AForwardGivesWhatItGivesOnAModelThatWasLoadedCold) {
  Fixture fixture;
  Execution& cold = fixture.run(Variation::Kind::cold, "B", 0);
  for (RankRun& rank : cold.ranks) rank.outcomes.push_back({.step = 1, .output = fixture.entry(kToB, "norm.weight").content});
  fixture.outcome(kToB).output = fixture.entry(kToB, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.outcome(kToB).output = fixture.entry(kToA, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, : the forward gives another output than a model that was loaded cold with B");
}

// The forward joins what both ranks compute, and rank 1 refused the update.
TEST(ColdLoadEqual, AForwardOverRanksThatDifferTellsOfNoCheckpoint) {
  Fixture fixture(2);
  Execution& cold = fixture.run(Variation::Kind::cold, "B", 0);
  for (RankRun& rank : cold.ranks) rank.outcomes.push_back({.step = 1, .output = fixture.entry(kToB, "norm.weight").content});
  fixture.outcome(kToB).output = fixture.entry(kToA, "norm.weight").content;
  EXPECT_NE(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.plan(1).states[kToB].checkpoint = "A";
  for (Execution* run : {&fixture.warm(), &fixture.run(Variation::Kind::poison, {}, 1)})
    fixture.census(*run, kToB, 1).entries = fixture.census(*run, kToA, 1).entries;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
}

// Step 1 delivers fc.k alone: A with rows 2-3 of B is expected.
Fixture partial_update() {
  Fixture fixture;
  fixture.each_rank_run([&](Execution& execution, RankRun& run) {
    if (execution.variation.kind == Variation::Kind::cold) return;
    for (Census& census : run.censuses) {
      if (census.step != kToB) continue;
      for (int element : {0, 1, 2, 3}) fixture.set(census.entries[0], element, static_cast<float>(1 + element));
      for (int element : {0, 1}) fixture.set(census.entries[1], element, static_cast<float>(9 + element));
    }
  });
  std::erase_if(fixture.plan().loads, [](const PlannedLoad& load) { return load.step == kToB && load.delivery != "fc.k"; });
  std::erase_if(fixture.events(), [](const Event& event) { return event.step == kToB && (event.load == 0 || event.load == 2); });
  for (Event& event : fixture.events())
    if (event.step == kToB && event.kind != EventKind::load_counted) event.load = -1;
  fixture.plan().states[kToB].partial = true;
  fixture.plan().missing = {{kToB, "fc", "weight", 4}, {kToB, "norm", "weight", 2}};
  return fixture;
}

TEST(ColdLoadEqual, TheUpdatesAfterTheScenariosOwnAreAsExact) {
  Fixture fixture;
  Execution& repeat = fixture.run(Variation::Kind::repeat, {}, 3);
  const auto last = static_cast<int>(repeat.steps.size()) - 2;  // before the model dies
  fixture.set(fixture.entry(repeat, last, "norm.weight"), 1, 7);
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->execution, "repeat 3");
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->step, last);
  fixture.outcome(repeat, last).unusable = true;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
}

TEST(ColdLoadEqual, APartialUpdateIsTheOldModelOverlaidWithWhatWasDelivered) {
  EXPECT_EQ(text(partial_update().judge(kColdLoadEqual)), "pass");
}

TEST(ColdLoadEqual, APartialUpdateMustKeepWhatWasNotDelivered) {
  Fixture fixture = partial_update();
  fixture.set(fixture.entry(kToB, "fc.weight"), 0, 101);
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)),
            "fail: warm, rank 0, step 1, fc.weight: bf16 [4, 2]: 1 of 8 elements differ: row 0 | "
            "[0, 0] is 101, should be 1 as before the update, from A: fc.q [0, 0] | "
            "processed at finish with 4 of 8 elements loaded");
}

TEST(ColdLoadEqual, APartialUpdateMustBringWhatWasDelivered) {
  Fixture fixture = partial_update();
  fixture.set(fixture.entry(kToB, "fc.weight"), 7, 8);
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->first, "[3, 1] is 8, should be 108, from B: fc.k [1, 1]");
}

TEST(ColdLoadEqual, ARefusedLoadCallIsNoPartOfAPartialUpdate) {
  Fixture fixture = partial_update();
  fixture.plan().refusals = {{kToB, fixture.load(kToB, "fc.k").index}};
  fixture.warm().steps[kToB].kind = StepKind::finish;  // that of an update whose load call was refused earlier
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->first, "[2, 0] is 105, should be 5, from B: fc.k [0, 0]");
}

// Step 2 delivers everything and is refused: the model stays the half-new one of step 1.
TEST(ColdLoadEqual, NothingOfARefusedUpdateIsExpectedAfterAPartialOne) {
  Fixture fixture = partial_update();
  fixture.plan().refusals = {{kToA, 2}};
  fixture.plan().states[kToA] = {kToA, "B", true};
  fixture.each_rank_run([](Execution& execution, RankRun& run) {
    if (execution.variation.kind != Variation::Kind::cold) run.censuses[kToA].entries = run.censuses[kToB].entries;
  });
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
}

// The layer fc also has a bias, which alone is not sent, and a post-load step, which derives a maximum from both.
Fixture partial_with_post_load() {
  Fixture fixture = partial_update();
  std::erase_if(fixture.evidence.executions, [](const Execution& each) { return each.variation.kind == Variation::Kind::repeat; });
  fixture.plan().missing = {{kToB, "fc", "bias", 2}, {kToB, "norm", "weight", 2}};
  fixture.evidence.deliveries.push_back({.name = "fc.bias", .shape = {2}, .layer = "fc", .slot = "bias"});
  fixture.each_rank_run([&](Execution& execution, RankRun& run) {
    const bool cold = execution.variation.kind == Variation::Kind::cold;
    if (cold) run.events.push_back({EventKind::post_load_begin, 0, -1, 0});
    for (Census& census : run.censuses) {
      const bool is_b = cold && execution.variation.name == "B";
      if (census.step == kToB)
        for (int element = 0; element < 8; ++element) fixture.set(census.entries[0], element, static_cast<float>(101 + element));
      for (const char* name : {"bias", "maximum"}) {
        CensusEntry entry = census.entries[1];
        entry.path = std::string("fc.") + name, entry.layer = "fc", entry.storage = entry.handle = name[0];
        fixture.set(entry, 0, is_b ? 41 : 40), fixture.set(entry, 1, is_b ? 43 : 42);
        census.entries.push_back(entry);
      }
    }
  });
  return fixture;
}

TEST(ColdLoadEqual, WherePostLoadStepsRewriteAnIncompleteLayerEachSlotIsOldOrNew) {
  EXPECT_EQ(text(partial_with_post_load().judge(kColdLoadEqual)), "pass");
  Fixture stale;
  stale = partial_with_post_load();
  stale.set(stale.entry(kToB, "fc.weight"), 0, 1);
  EXPECT_EQ(stale.judge(kColdLoadEqual).finding->first, "[0, 0] is 1, should be 101 as before the update, from a cold load of A");
  Fixture lost = partial_with_post_load();
  lost.set(lost.entry(kToB, "fc.bias"), 0, 41);
  EXPECT_EQ(lost.judge(kColdLoadEqual).finding->first, "[0] is 41, should be 40 as before the update, from a cold load of A");
  Fixture derived = partial_with_post_load();
  derived.set(derived.entry(kToB, "fc.maximum"), 0, 108);
  derived.set(derived.entry(derived.run(Variation::Kind::poison, {}, 1), kToB, "fc.maximum"), 0, 108);
  EXPECT_EQ(text(derived.judge(kColdLoadEqual)), "pass");
}

TEST(ColdLoadEqual, ALayerThatCameWholeInAPartialUpdateIsThatOfTheCheckpoint) {
  Fixture fixture = partial_with_post_load();
  fixture.plan().missing = {{kToB, "norm", "weight", 2}};
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->first, "[0] is 40, should be 41 as before the update, from a cold load of A");
}

TEST(ColdLoadEqual, PlacementsThatDoNotFitAreLeftOut) {
  Fixture fixture = partial_update();
  fixture.load(kToB, "fc.k").placements = {{{0, 0}, {3, 0}, {2, 2}}, {{0}, {0}, {2}}};
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->first, "[2, 0] is 105, should be 5 as before the update, from A: fc.k [0, 0]");
}

TEST(ColdLoadEqual, AViewFollowsTheStorageInAPartialUpdate) {
  Fixture fixture = partial_update();
  fixture.each_rank_run([&](Execution&, RankRun& run) {
    for (Census& census : run.censuses) {
      CensusEntry view = census.entries[0];
      view.path = "norm.view", view.layer = "norm", view.offset = 6, view.shape = {2}, view.strides = {1};
      const Bytes& all = census.entries[0].content->bytes;
      view.content = std::make_shared<const Blob>(Blob{{}, Bytes(all.begin() + 12, all.end())});
      census.entries.push_back(view);
    }
  });
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
  fixture.set(fixture.entry(kToB, "norm.view"), 0, 7);
  EXPECT_EQ(fixture.judge(kColdLoadEqual).finding->first, "[0] is 7, should be 107 as before the update, from a cold load of A");
}

TEST(ColdLoadEqual, WhatACandidateCallsUnusableIsNotJudged) {
  Fixture fixture;
  fixture.set(fixture.entry(kToB, "fc.weight"), 5, 7);
  fixture.outcome(kToB).unusable = true;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "pass");
}

TEST(ColdLoadEqual, AWorldWithoutBytesCannotShowIt) {
  Fixture fixture;
  fixture.evidence.the_case.world = WorldKind::meta;
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "unsupported: this world has no bytes to compare");
}

TEST(ColdLoadEqual, WithoutAColdLoadNothingIsProven) {
  Fixture fixture;
  std::erase_if(fixture.evidence.executions, [](const Execution& e) { return e.variation.kind != Variation::Kind::warm; });
  EXPECT_EQ(text(fixture.judge(kColdLoadEqual)), "inconclusive: no step leaves the model at rest with a cold load to compare with");
}

}  // namespace
}  // namespace reloadlab::sim
