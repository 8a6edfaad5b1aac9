// Where elements come from, in words.
#include "sim/law/origin.h"

#include <gtest/gtest.h>

#include "reference/model/kind.h"
#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

// fc as a linear layer whose post-load step interleaves the halves of its rows.
Fixture with_post_load(const std::string& quant) {
  Fixture fixture;
  model::LayerSpec fc{.name = "fc", .kind = "column_parallel_linear", .quant = quant};
  for (const model::KeyInfo& key : model::find_layer_kind(fc.kind)->keys()) fc.values.emplace(key.name, key.fallback);
  fc.values["in"] = int64_t{2}, fc.values["out"] = int64_t{4};
  fixture.evidence.the_case.model.layers = {fc};
  fixture.each_rank_run([](Execution& execution, RankRun& run) {
    if (execution.variation.kind == Variation::Kind::cold) run.events.push_back({.kind = EventKind::post_load_begin, .layer = 0});
  });
  return fixture;
}

TEST(Origin, TheSourceIsNamedThroughADeclaredPermutation) {
  Fixture fixture = with_post_load("tile_permute");
  const CensusEntry& weight = fixture.entry(kToB, "fc.weight");
  EXPECT_EQ(origin_text(fixture.evidence, 0, weight, "B", 2), ", from B: fc.k [0, 0]");  // row 1 is row 2 of what was loaded
  EXPECT_EQ(origin_text(fixture.evidence, 0, weight, "B", 5), ", from B: fc.q [1, 1]");  // and row 2 is row 1
}

TEST(Origin, AStepThatIsNoPermutationIsNamedAndADerivedTensorHasNoSingleSource) {
  Fixture fixture = with_post_load("none");
  CensusEntry weight = fixture.entry(kToB, "fc.weight");
  EXPECT_EQ(origin_text(fixture.evidence, 0, weight, "B", 2), ", from B: fc.q [1, 0], through the post-load step");
  weight.path = "fc.weight_row_max";
  EXPECT_EQ(origin_text(fixture.evidence, 0, weight, "B", 2), ", from a cold load of B: derived by the post-load step, no single source");
}

TEST(Origin, AModelThatCannotBeBuiltIsNotWorkedOn) {
  Fixture fixture = with_post_load("tile_permute");
  fixture.evidence.the_case.model.layers[0].values.clear();
  EXPECT_EQ(origin_text(fixture.evidence, 0, fixture.entry(kToB, "fc.weight"), "B", 2), ", from a cold load of B");
}

TEST(Origin, AViewComesFromWhereTheTensorThatItViewsDoes) {
  Fixture fixture;
  model::LayerSpec norm{.name = "norm", .kind = "buffers"}, view{.name = "view", .kind = "buffers"};
  for (const model::KeyInfo& key : model::find_layer_kind("buffers")->keys())
    norm.values.emplace(key.name, key.fallback), view.values.emplace(key.name, key.fallback);
  norm.values["shape"] = Shape{2};
  view.values["view_of"] = std::string("norm.weight"), view.values["view_shape"] = Shape{1}, view.values["view_start"] = int64_t{1};
  fixture.evidence.the_case.model.layers = {norm, view};
  CensusEntry seen = fixture.entry(kToB, "norm.weight");
  seen.path = "view.view", seen.layer = "view", seen.shape = {1};
  EXPECT_EQ(origin_text(fixture.evidence, 0, seen, "B", 0), ", from B: norm.weight [1]");
}

TEST(Origin, AfterAPartialUpdateItIsTheUpdateOrWhatWasThereBefore) {
  Fixture fixture;
  std::erase_if(fixture.plan().loads, [](const PlannedLoad& load) { return load.step == kToB && load.delivery == "fc.k"; });
  fixture.load(kToA, "norm.weight").wrong = true;
  const CensusEntry& weight = fixture.entry(kToB, "fc.weight");
  EXPECT_EQ(overlay_text(fixture.evidence, 0, weight, {kToB, kToB}, "B", 3), ", from B: fc.q [1, 1]");
  EXPECT_EQ(overlay_text(fixture.evidence, 0, weight, {kToB, kToB}, "B", 4), " as before the update, from A: fc.k [0, 0]");
  EXPECT_EQ(overlay_text(fixture.evidence, 0, fixture.entry(kToA, "norm.weight"), {kToA, kToA}, "A", 0),
            " as before the update, from B: norm.weight [0]");
  fixture.plan().states[1].partial = true;
  EXPECT_EQ(before_text(fixture.evidence, 0, weight, kToA, 3), " as before the update");
}

}  // namespace
}  // namespace reloadlab::sim
