#include "reference/model/kind.h"
#include "tests/sim/replay/planned.h"

namespace reloadlab::sim {
namespace {

using Plan = Planned;

TEST_F(Plan, TheLastMissingShardCompletesItsLayer) {
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.loads.size(), 4U);
  EXPECT_EQ(result.loads[0].fresh, 16 * 16);
  EXPECT_FALSE(result.loads[1].completes);
  EXPECT_TRUE(result.loads[2].completes);
  EXPECT_TRUE(result.loads[3].completes);
}

TEST_F(Plan, ARepeatedShardAddsNothing) {
  reload_.plan.repeat = {{"a.q_proj.weight", 2}};
  const RankPlan result = plan({reload_});
  EXPECT_EQ(result.loads[1].fresh, 0);
  EXPECT_TRUE(result.loads[1].excess);
  EXPECT_FALSE(result.loads[2].completes);
  EXPECT_TRUE(result.loads[3].completes);
}

TEST_F(Plan, ABeginThatIsRefusedLeavesTheUpdateThatIsOpen) {
  const auto last_load_completes = [&](Step::Outcome second) {
    Step loads = reload_;
    loads.kind = StepKind::loads;
    loads.plan.only = {"a.q_proj.weight", "a.k_proj.weight"};
    Step rest = loads;
    rest.plan.only = {"a.v_proj.weight"};
    const std::vector<Step> steps = {load_step("A"), {.kind = StepKind::prepare}, loads, {.kind = StepKind::prepare, .outcome = second},
                                     rest,           {.kind = StepKind::finish}};
    return plan(steps).loads.back().completes;
  };
  EXPECT_TRUE(last_load_completes(Step::Outcome::error));
  EXPECT_FALSE(last_load_completes(Step::Outcome::ok));
}

TEST_F(Plan, WhatIsLeftOutIsMissingAndTheStateIsPartial) {
  reload_.plan.omit = {"a.v_proj.weight"};
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.missing.size(), 1U);
  EXPECT_EQ(result.missing[0].slot, "weight");
  EXPECT_EQ(result.missing[0].elements, 8 * 16);
  EXPECT_TRUE(result.states.back().partial);
  EXPECT_EQ(result.states.back().checkpoint, "B");
}

TEST_F(Plan, PartialUpdatesAddUpToAWholeCheckpoint) {
  Step rest = reload_;
  reload_.plan.omit = {"a.*"};
  rest.plan.only = {"a.*"};
  const RankPlan result = plan({load_step("A"), reload_, reload_, rest});
  ASSERT_EQ(result.states.size(), 4U);
  EXPECT_TRUE(result.states[2].partial);
  EXPECT_FALSE(result.states[3].partial);
  EXPECT_EQ(result.states[3].checkpoint, "B");
  EXPECT_EQ(result.missing.size(), 7U);  // q, k and v twice, then b
}

TEST_F(Plan, AStepThatIsMeantToFailLeavesTheStateAsItWas) {
  reload_.outcome = Step::Outcome::error;
  const RankPlan result = plan({load_step("A"), reload_});
  ASSERT_EQ(result.states.size(), 2U);
  EXPECT_EQ(result.states[1].checkpoint, "A");
}

// Excess ends the update at the load that brings it: nothing after it is sent, and nothing of it stays.
TEST_F(Plan, DeclaredRejectionOfExcessEndsTheUpdateThere) {
  reload_.plan.repeat = {{"a.q_proj.weight", 2}};
  const RankPlan result = plan({load_step("A"), reload_}, {.rejects_excess = true});
  ASSERT_EQ(result.loads.size(), 2U);
  EXPECT_TRUE(result.loads[1].excess);
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].step, 1);
  EXPECT_EQ(result.refusals[0].load, 1);
  EXPECT_EQ(result.states[1].checkpoint, "A");
  EXPECT_TRUE(result.missing.empty());
}

// A candidate copies what lies in a buffer that will be used again before it sees that the load is excess.
TEST_F(Plan, ARefusedLoadTakesACopyWhereTheTransportReusesItsBuffer) {
  reload_.plan.repeat = {{"a.q_proj.weight", 2}};
  const auto refused_peak = [&] { return plan({load_step("A"), reload_}, {.rejects_excess = true}).peaks.at(1).extra_bytes; };
  EXPECT_EQ(refused_peak(), 0);
  reload_.plan.chunk = 1;
  EXPECT_EQ(refused_peak(), 2 * 16 * 16 * 2);  // the first copy is still there
}

TEST_F(Plan, AWholeUpdateThatIsRefusedWhileOneIsOpenLoadsNothing) {
  Step refused = reload_;
  refused.outcome = Step::Outcome::error;
  EXPECT_TRUE(plan({load_step("A"), {.kind = StepKind::prepare}, refused}).loads.empty());
  EXPECT_EQ(plan({load_step("A"), refused}).loads.size(), 4U);
}

TEST_F(Plan, DeclaredRejectionOfWhatIsMissingRefusesTheEndAndProcessesNothingThere) {
  reload_.plan.omit = {"a.v_proj.weight", "b.weight"};
  const RankPlan result = plan({load_step("A"), reload_}, {.rejects_missing = true});
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].load, -1);
  EXPECT_EQ(result.states[1].checkpoint, "A");
  EXPECT_FALSE(result.states[1].partial);
  EXPECT_EQ(highest(result), 512 + 256);  // q and k were buffered, and that is all
}

TEST_F(Plan, DeclaredRejectionOfUnknownNamesRefusesThem) {
  reload_.plan.unknown = {"lora.weight"};
  EXPECT_EQ(plan({load_step("A"), reload_}, {.rejects_unexpected = true}).refusals.at(0).load, 4);
  EXPECT_TRUE(plan({load_step("A"), reload_}, {.rejects_excess = true, .rejects_missing = true}).refusals.empty());
}

// Its post-load step loses what it is given, so only a copy of that could complete the layer.
TEST_F(Plan, AQuantizedLayerThatComesInPartIsRefusedWithoutAShadow) {
  case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b", "fp8_per_tensor")});
  case_.model.layers[0].quant = "fp8_per_tensor";
  reload_.plan.omit = {"a.v_proj.weight"};
  const RankPlan refused = plan({load_step("A"), reload_}, {.rejects_gaps = true});
  EXPECT_EQ(refused.refusals.at(0).load, -1);
  EXPECT_EQ(highest(refused), 512 + 256 + 1024);  // q and k, and the tensors that they would have gone into
  EXPECT_TRUE(plan({load_step("A"), reload_}, {.shadow = true}).refusals.empty());
  reload_.plan.omit = {"a.*"};  // nothing of the layer comes: it is left alone
  EXPECT_TRUE(plan({load_step("A"), reload_}, {.rejects_gaps = true}).refusals.empty());
  case_.model.layers[0].quant = "tile_permute";
  reload_.plan.omit = {"a.v_proj.weight"};
  EXPECT_TRUE(plan({load_step("A"), reload_}, {.rejects_gaps = true}).refusals.empty());
}

// A refused load call leaves its update open, with what came before it.
TEST_F(Plan, AnUpdateMayEndWellAfterARefusedLoadCall) {
  Step loads{.kind = StepKind::loads};
  loads.plan = reload_.plan;
  loads.plan.excess = {"b.weight"};
  const RankPlan result = plan({load_step("A"), {.kind = StepKind::prepare}, loads, {.kind = StepKind::finish}},
                               {.rejects_excess = true, .rejects_missing = true});
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].step, 2);
  EXPECT_EQ(result.states.back().step, 3);
  EXPECT_EQ(result.states.back().checkpoint, "B");
  EXPECT_FALSE(result.states.back().partial);
}

// Two ranks, four rows each, and a vocabulary that ends in the first.
TEST_F(Plan, ARankOfPaddingProcessesALayerOnlyIfTheLoaderPads) {
  model::LayerSpec vocab{.name = "embed", .kind = "vocab_parallel_embedding"};
  for (const bool pads : {false, true}) {
    vocab.values = {{"vocab", int64_t{3}}, {"hidden", int64_t{2}}, {"pad_to", int64_t{8}}, {"loader_pads", pads}};
    model::fill_defaults(vocab);
    case_.model.layers = {vocab};
    const RankPlan padding = make_plan(Catalogue(case_.model), {reload_}, {1, 2}, {.backup = Backup::of_processed});
    EXPECT_EQ(padding.loads[0].completes, pads);
    EXPECT_EQ(padding.peaks[0].extra_bytes, pads ? 12 + 16 + 16 : 12);
    EXPECT_EQ(padding.peaks[1].extra_bytes, 0);
  }
}

// It takes no element of the table, and its loader writes there each time.
TEST_F(Plan, ARankOfPaddingMissesWhatTheLoaderPads) {
  model::LayerSpec vocab{.name = "embed", .kind = "vocab_parallel_embedding"};
  vocab.values = {{"vocab", int64_t{3}}, {"hidden", int64_t{2}}, {"pad_to", int64_t{8}}, {"loader_pads", true}};
  model::fill_defaults(vocab);
  case_.model.layers = {vocab};
  const auto refusals = [&](const PlanPolicies& policies) {
    return make_plan(Catalogue(case_.model), {reload_}, {1, 2}, policies).refusals.size();
  };
  EXPECT_EQ(refusals({.rejects_excess = true, .rejects_missing = true}), 0U);
  reload_.plan.repeat = {{"embed.weight", 2}};
  EXPECT_EQ(refusals({.rejects_excess = true}), 1U);
  reload_.plan.repeat.clear();
  reload_.plan.omit = {"embed.weight"};
  EXPECT_EQ(refusals({.rejects_missing = true}), 1U);
}

// c arrives and waits for finish; b misses its bias and is processed then as well, before c, whose buffered loads are still there.
TEST_F(Plan, DeferredLayersAreProcessedAfterAllOthers) {
  model::LayerSpec attention{.name = "c", .kind = "attention"}, linear = linear_layer("d");
  attention.values = {{"heads", int64_t{2}}};
  linear.values["bias"] = true;
  model::fill_defaults(attention);
  case_.model.layers = {attention, linear};
  const int64_t scales = [&] {
    int64_t bytes = 0;
    for (const PlannedLoad& load : plan({reload_}).loads) bytes += load.layer == "c" ? load.bytes : 0;
    return bytes;
  }();
  reload_.plan.omit = {"d.bias"};
  EXPECT_EQ(plan({reload_}, false).peaks.back().extra_bytes, scales + 192 + 192 + 24);
}

std::vector<Step> from_two_sources(const std::vector<std::string>& first) {
  Step one{.kind = StepKind::loads}, other{.kind = StepKind::loads};
  one.plan = {.checkpoint = "A", .only = first};
  other.plan = {.checkpoint = "B", .omit = first};
  return {load_step("A"), {.kind = StepKind::prepare}, one, other, {.kind = StepKind::finish}};
}

TEST_F(Plan, WhatTwoSourcesDeliverIsAMixtureWithANameOfItsOwn) {
  const RankPlan result = plan(from_two_sources({"a.q_proj.weight"}));
  ASSERT_EQ(result.mixtures.size(), 1U);
  EXPECT_EQ(result.mixtures[0].name, "A+B of step 4");
  EXPECT_EQ(result.mixtures[0].from, (std::vector<std::string>{"A", "B", "B", "B"}));
  EXPECT_EQ(result.states.back().checkpoint, "A+B of step 4");
  EXPECT_FALSE(result.states.back().partial);
}

// Rank 1 of two holds nothing of the weight but padding: its bias completes the layer, and the weight, which comes after, is from B still.
TEST_F(Plan, WhatARankTakesNothingOfIsOfTheMixtureAllTheSame) {
  model::LayerSpec row{.name = "r", .kind = "row_parallel_linear"};
  row.values = {{"in", int64_t{4}}, {"out", int64_t{2}}, {"bias", true}, {"pad_cols_to", int64_t{8}}};
  model::fill_defaults(row);
  case_.model.layers = {row, linear_layer("b")};
  std::vector<Step> steps = from_two_sources({"b.weight"});
  steps[3].plan.order = OrderKind::reversed;
  const RankPlan result = make_plan(Catalogue(case_.model), steps, {1, 2}, {});
  ASSERT_EQ(result.mixtures.size(), 1U);
  EXPECT_EQ(result.mixtures[0].from, (std::vector<std::string>{"B", "B", "A"}));
}

TEST_F(Plan, WhatTwoSourcesBringInPartIsNoMixture) {
  std::vector<Step> steps = from_two_sources({"a.q_proj.weight"});
  steps[3].plan.omit.emplace_back("b.weight");
  const RankPlan result = plan(steps);
  EXPECT_TRUE(result.mixtures.empty());
  EXPECT_TRUE(result.states.back().partial);
}

TEST_F(Plan, WithoutLoadersTheFirstLoadLeavesNoState) {
  Step load = load_step("A");
  load.plan.direct = true;
  const RankPlan result = plan({load, reload_});
  ASSERT_EQ(result.states.size(), 1U);
  EXPECT_EQ(result.states[0].step, 1);
}

TEST_F(Plan, RepeatIsWrittenOutAndRetryTakesThePlanOfItsUpdate) {
  Step repeat{.kind = StepKind::repeat, .times = 3, .body = {reload_}};
  const std::vector<Step> steps = unroll({repeat, Step{.kind = StepKind::retry}});
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[3].plan.checkpoint, "B");
}

}  // namespace
}  // namespace reloadlab::sim
