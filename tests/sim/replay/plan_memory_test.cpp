// The memory that a plan says an update takes.
#include <algorithm>

#include "reference/model/kind.h"
#include "tests/sim/replay/planned.h"

namespace reloadlab::sim {
namespace {

using PlanMemory = Planned;

// 24 elements by mask: the figure of a GPU (reference/model/kinds/custom_loader.cpp).
TEST_F(PlanMemory, LoadersTakeWhatTheOperatorsOfTheirWorldTake) {
  Case masked = tiny_case({{.name = "up", .kind = "custom_loader"}});
  masked.model.layers[0].values = {{"rows", int64_t{4}}, {"columns", int64_t{6}}, {"via", std::string("mask")}};
  model::fill_defaults(masked.model.layers[0]);
  const auto peak_in = [&](WorldKind world) { return highest(make_plan(Catalogue(masked.model), {reload_}, {0, 1}, {}, {}, world)); };
  EXPECT_EQ(peak_in(WorldKind::cuda) - peak_in(WorldKind::cpu), 1471);
}

// Weights of 256 elements, 512 bytes as they were loaded. A post-load step takes 1,024 bytes for
// single precision, 64 for the scales and 256 for the result beside them.
TEST_F(PlanMemory, AWholeModelAtOnceIsRestoredLoadedAndQuantizedLayerByLayer) {
  Case whole = tiny_case({linear_layer("a", "fp8_per_channel"), linear_layer("b", "fp8_per_channel"), linear_layer("c")});
  for (model::LayerSpec& layer : whole.model.layers)
    for (const char* edge : {"in", "out"}) layer.values.insert_or_assign(edge, int64_t{16});
  const auto peaks_of = [&](const std::vector<Step>& steps) {
    std::vector<int64_t> peaks;
    for (const RankPlan::Peak& peak : make_plan(Catalogue(whole.model), steps, {0, 1}, {.whole_model = true}).peaks)
      peaks.push_back(peak.extra_bytes);
    return peaks;
  };
  constexpr int64_t restored = 3 * 512, in_flight = 512, step = 1024 + 64 + 256;
  EXPECT_EQ(peaks_of({load_step("A"), reload_}),
            (std::vector<int64_t>{restored + in_flight, restored + in_flight, restored + in_flight, restored + step}));
  EXPECT_EQ(peaks_of({reload_}), (std::vector<int64_t>{in_flight, in_flight, in_flight, 0}));  // it was never recorded
  whole.model.layers[0].quant = "none";
  whole.model.layers[1].quant = "none";
  EXPECT_EQ(peaks_of({load_step("A"), reload_}), (std::vector<int64_t>{in_flight, in_flight, in_flight, 0}));
}

// A shadow is made anew while its layer is processed, and with a backup both are there to the end: bf16 b 192 bytes, kernel 96 + 4,
// post-load 4 + 5 · 96.
TEST_F(PlanMemory, AShadowIsCountedTwiceWhileItsLayerIsProcessed) {
  case_ = tiny_case({linear_layer("b", "fp8_per_tensor")});
  const int64_t plain = 192 + 192 + 4 + 480, shadow = 192, backup = 100;
  EXPECT_EQ(highest(plan({reload_}, PlanPolicies{})), plain);
  EXPECT_EQ(highest(plan({reload_}, {.shadow = true})), plain + shadow);
  EXPECT_EQ(highest(plan({reload_}, {.backup = Backup::of_processed, .shadow = true})), plain + shadow + backup);
}

// The weights of both layers come before the bias of either: 48 bytes of each.
TEST_F(PlanMemory, WhereLoadsLandAsTheyComeTheirLayersAreBackedUpFromTheFirstOn) {
  case_ = tiny_case({linear_layer("b"), linear_layer("c")});
  for (model::LayerSpec& layer : case_.model.layers) layer.values["bias"] = true;
  reload_.plan.order = OrderKind::interleaved;
  EXPECT_GT(highest(plan({reload_}, {.backup = Backup::of_touched})), highest(plan({reload_}, {.backup = Backup::of_processed})));
}

// bf16: q 512 bytes, k and v 256 each, b 192; the kernel tensors have the same sizes.
TEST_F(PlanMemory, ThePeakIsTheFormulaOfTheArrivalOrder) {
  const int64_t qkv = 1024, b = 192;
  EXPECT_EQ(peak({reload_}, false), qkv + qkv);
  EXPECT_EQ(peak({reload_}, true), qkv + qkv + qkv);
  reload_.plan.order = OrderKind::interleaved;  // q, b, k, v: b is processed while q is buffered
  EXPECT_EQ(peak({reload_}, true), qkv + qkv + qkv + b);
}

TEST_F(PlanMemory, EveryLoadCallHasItsPeak) {
  const std::vector<RankPlan::Peak> peaks = plan({reload_}, false).peaks;
  ASSERT_EQ(peaks.size(), 5U);
  EXPECT_EQ(peaks[1].load, 1);
  EXPECT_EQ(peaks[1].extra_bytes, 768);
  EXPECT_EQ(peaks[4].load, -1);
}

TEST_F(PlanMemory, WhatTheFirstForwardRegistersIsAKernelTensorFromThenOn) {
  model::LayerSpec late{.name = "c", .kind = "buffers", .dtype = DType::f32};
  late.values = {{"shape", std::vector<int64_t>{2}}, {"late", true}};
  model::fill_defaults(late);
  case_.model.layers = {late};
  const Step forward{.kind = StepKind::forward};
  EXPECT_EQ(peak({reload_}, true), 8 + 8 + 8);
  EXPECT_EQ(peak({forward, forward, reload_}, true), 8 + 8 + 8 + 16);
  EXPECT_EQ(peak({forward, reload_}, false), 8 + 8);
}

// bf16: a projection of 48 bytes, and helpers of 16 and 32 that are made of it. With a backup there is a copy of the old one that is
// overwritten, while the new ones are still there.
TEST_F(PlanMemory, HelpersAreMadeAnewBesideTheOldOnes) {
  model::LayerSpec attention{.name = "c", .kind = "mla_attention"};
  attention.values = {{"heads", int64_t{2}}, {"qk_nope_head_dim", int64_t{1}}, {"v_head_dim", int64_t{2}}, {"kv_lora_rank", int64_t{4}}};
  model::fill_defaults(attention);
  case_.model.layers = {attention};
  EXPECT_EQ(plan({reload_}, false).peaks.back().extra_bytes, 48 + 48 + 48);
  EXPECT_EQ(plan({reload_}, true).peaks.back().extra_bytes, 48 + 48 + 48 + 48 + 32);
  reload_.plan.omit = {"c.kv_b_proj.weight"};
  EXPECT_EQ(plan({reload_}, true).peaks.back().extra_bytes, 48);
}

// q, k, v, b: the call for v fails, and everything is sent again.
TEST_F(PlanMemory, AStepThatALoadEndedCountsUpToThatLoad) {
  Step prepare{.kind = StepKind::prepare}, finish{.kind = StepKind::finish}, first{.kind = StepKind::loads}, second = first;
  first.plan.checkpoint = second.plan.checkpoint = "B";
  first.outcome = Step::Outcome::error;
  const RankPlan result = make_plan(Catalogue(case_.model), {prepare, first, second, finish}, {0, 1}, {}, {{1, 2}});
  ASSERT_EQ(result.loads.size(), 3U + 4U);
  EXPECT_TRUE(result.loads[2].wrong);
  EXPECT_EQ(result.loads[2].fresh, 0);
  EXPECT_FALSE(result.loads[2].completes);
  EXPECT_TRUE(result.loads[3].excess);  // q again
  EXPECT_EQ(result.loads[5].fresh, 8 * 16);
  EXPECT_TRUE(result.loads[5].completes);
  EXPECT_TRUE(result.missing.empty());
}

// bf16 q of 512 bytes, k and v of 256, b of 192. A chunk of two counts whole until its last holder is processed.
TEST_F(PlanMemory, AChunkThatIsHandedOverCountsWhole) {
  case_.model.layers = {qkv_layer("a.qkv"), qkv_layer("b.qkv")};
  reload_.plan.chunk = 2;
  reload_.plan.reuses = false;
  std::vector<int64_t> peaks;
  for (const RankPlan::Peak& peak : plan({reload_}, false).peaks) peaks.push_back(peak.extra_bytes);
  const int64_t qk = 512 + 256, vq = 256 + 512, kv = 256 + 256, layer = 1024;
  // v completes a, whose chunks then go, but for the one that b's q came in as well; b's v completes b.
  EXPECT_EQ(peaks, (std::vector<int64_t>{qk, qk, qk + vq + layer, vq, vq + kv, vq + kv + layer, 0}));
}

TEST_F(PlanMemory, GapsOfALayoutCountWhereTheReceiverKeepsThem) {
  reload_.plan.layout = LoadPlan::Layout::strided;
  EXPECT_EQ(plan({reload_}, false).peaks[0].extra_bytes, 2 * 512);
  reload_.plan.chunk = 1;  // a copy has none
  EXPECT_EQ(plan({reload_}, false).peaks[0].extra_bytes, 512);
  reload_.plan.dtype = DType::f32;
  EXPECT_EQ(plan({reload_}, false).peaks[0].extra_bytes, 2 * 512);
}

TEST_F(PlanMemory, WhatIsOfAnotherRankIsInFlightOnly) {
  model::LayerSpec experts{.name = "c", .kind = "fused_experts"};
  experts.values = {{"hidden", int64_t{2}}, {"intermediate", int64_t{2}}, {"experts", int64_t{2}}, {"parallel", std::string("expert")}};
  model::fill_defaults(experts);
  case_.model.layers = {experts};
  const RankPlan result = make_plan(Catalogue(case_.model), {reload_}, {1, 2}, {});
  const auto other = std::ranges::find_if(result.loads, [](const PlannedLoad& load) { return !load.placements.empty(); });
  for (auto load = result.loads.begin(); load != other; ++load)
    EXPECT_EQ(result.peaks[static_cast<size_t>(load - result.loads.begin())].extra_bytes, load->bytes);
}

}  // namespace
}  // namespace reloadlab::sim
