// What the hardened profile promises, points 3 to 11.
#include <ATen/ops/ones.h>

#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

// Point 3.

TEST(Hardened, BufferedLoadsOwnTheirBytesWhenTheTransportReusesItsBuffers) {
  for (bool reuses : {false, true}) {
    Rig rig(two_linears(), "hardened", {.transport_reuses_buffers = reuses});
    rig.start();
    EXPECT_OK(rig.prepare());
    for (const Delivery& delivery : rig.deliveries) {
      at::Tensor buffer = weight(delivery, 2);
      EXPECT_OK(rig.send(delivery.name, buffer));
      buffer.fill_(-1);
    }
    EXPECT_OK(rig.finish());
    EXPECT_EQ(reuses, bool(same_content(rig.now(), cold(rig.spec, 2))));
  }
}

// Point 4.

ModelSpec aliases() {
  return model_of({layer_of("embedding", {{"rows", int64_t{6}}, {"hidden", int64_t{4}}}, "embed"),
                   layer_of("buffers",
                            {{"shape", std::vector<int64_t>{4, 4}},
                             {"strides", std::vector<int64_t>{8, 1}},
                             {"bias", std::string("empty")},
                             {"buffer", std::vector<int64_t>{3}},
                             {"buffer_persistent", false},
                             {"empty_buffer", true}},
                            "parts"),
                   layer_of("buffers", {{"shape", std::vector<int64_t>{2, 4}}, {"second_name", std::string("again")}}, "twice"),
                   layer_of("buffers",
                            {{"shape", std::vector<int64_t>{4, 4}},
                             {"view_of", std::string("weight")},
                             {"view_shape", std::vector<int64_t>{2, 4}},
                             {"view_start", int64_t{4}}},
                            "viewed")});
}

TEST(Hardened, NamesOrderPersistenceStridesTiesAndViewsSurvive) {
  Rig rig(aliases());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_EQ(rig.handle("twice.weight"), rig.handle("twice.again"));
  EXPECT_EQ(rig.handle("viewed.weight")->tensor.storage().unsafeGetStorageImpl(),
            rig.handle("viewed.view")->tensor.storage().unsafeGetStorageImpl());
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

ModelSpec tied_head() {
  ModelSpec spec = model_of({layer_of("vocab_parallel_embedding", {{"vocab", int64_t{6}}, {"hidden", int64_t{4}}}, "embed"), linear("mid"),
                             layer_of("parallel_lm_head", {{"vocab", int64_t{6}}, {"hidden", int64_t{4}}}, "head")});
  spec.layers[2].tied_to = "embed.weight";
  return spec;
}

TEST(Hardened, TiedLayersAreProcessedTogetherAndOnce) {
  Rig rig(tied_head());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_EQ(rig.handle("embed.weight"), rig.handle("head.weight"));
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  EXPECT_EQ(1, rig.heard.count("completed embed"));
  EXPECT_EQ(1, rig.heard.count("completed head"));
  EXPECT_EQ(0, rig.heard.count("completed mid"));
  EXPECT_OK(rig.send(rig.deliveries[1].name));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

// Point 5.

TEST(Hardened, TheDerivedTensorIsRefreshedInPlace) {
  LayerSpec layer = linear("x", 4, 5);
  layer.quant = "tile_permute";
  Rig rig(model_of({layer}));
  rig.start();
  const Picture before = rig.now();
  ASSERT_EQ(2u, before.entries.size());
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

// Point 6.

TEST(Hardened, ExcessBeforeCompletionIsReportedAndTheLastOneWins) {
  Rig rig(two_linears());
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight", 1));
  EXPECT_OK(rig.send("a.weight", 2));
  EXPECT_EQ(1, rig.heard.count("excess a.weight 24"));
  EXPECT_EQ(1, rig.heard.count("warning a.weight"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_OK(rig.send("b.weight"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Hardened, ExcessAfterCompletionIsReportedAndDropped) {
  Rig rig(two_linears());
  rig.start();
  EXPECT_OK(rig.prepare());
  const model::ParameterPtr placeholder = rig.handle("b.weight");
  EXPECT_OK(rig.send("b.weight", 2));
  EXPECT_OK(rig.send("b.weight", 1));
  EXPECT_OK((*placeholder->loader)(*placeholder, weight(rig.deliveries[2], 1), {}));
  EXPECT_EQ(2, rig.heard.count("excess b.weight"));
  EXPECT_EQ(2, rig.heard.count("dropped b.weight"));
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

// This rank has padding alone of the weight, and is complete with the bias.
TEST(Hardened, AShardOfWhichTheRankTakesNothingIsNoExcessAfterCompletion) {
  const Values padded{{"in", int64_t{4}}, {"out", int64_t{4}}, {"bias", true}, {"pad_cols_to", int64_t{8}}};
  Rig rig(model_of({layer_of("row_parallel_linear", padded, "a")}), "hardened,excess=reject", {}, {1, 2});
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_EQ(0, rig.heard.count("excess"));
  EXPECT_CODE(Code::rejected, rig.send("a.bias"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2, {1, 2})));
}

// Point 9: a layer that is over holds none of its loads while others, here a deferred one, are still processed.
TEST(Hardened, ALoadOfWhichTheRankTakesNothingIsLetGoWithItsLayer) {
  const Values padded{{"vocab", int64_t{4}}, {"hidden", int64_t{2}}, {"pad_to", int64_t{8}}};
  Rig rig(model_of({layer_of("attention", {{"heads", int64_t{2}}, {"sinks", true}}, "attn"), layer_of("parallel_lm_head", padded, "head")}),
          "hardened", {}, {1, 2});
  rig.start();
  at::Tensor nothing = at::ones({4, 2});
  const c10::weak_intrusive_ptr<at::TensorImpl> sent(nothing.getIntrusivePtr());
  std::vector<bool> gone;
  rig.model->find("attn")->own_post_load = [&](model::Layer&) { return gone.push_back(sent.expired()), Status(); };
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("head.weight", nothing));
  EXPECT_OK(rig.send_all(2, {"head.weight"}));
  nothing.reset();
  EXPECT_OK(rig.finish());
  EXPECT_EQ(std::vector<bool>{true}, gone);
}

TEST(Hardened, CoveragePoliciesAcceptWarnAndReject) {
  struct Case {
    const char* policy;
    Code code;
    int reports, warnings;
  };
  for (const Case& each :
       {Case{"silent", Code::ok, 0, 0}, {"accept", Code::ok, 1, 0}, {"warn", Code::ok, 1, 1}, {"reject", Code::rejected, 1, 0}}) {
    SCOPED_TRACE(each.policy);
    const std::string as = each.policy;
    Rig rig(two_linears(), "hardened,excess=" + as + ",missing=" + as + ",unexpected=" + as);
    rig.start();
    const Picture before = rig.now();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    EXPECT_CODE(each.code, rig.send("a.weight"));
    EXPECT_CODE(each.code, rig.model->on_unexpected_name ? rig.model->on_unexpected_name("nobody") : Status());
    EXPECT_OK(rig.send("a.bias"));
    EXPECT_CODE(each.code, rig.finish());
    EXPECT_EQ(each.reports, rig.heard.count("excess a.weight 24"));
    EXPECT_EQ(each.reports, rig.heard.count("unexpected nobody"));
    EXPECT_EQ(each.reports, rig.heard.count("missing b.weight 16"));
    EXPECT_EQ(3 * each.warnings, rig.heard.count("warning"));
    EXPECT_FALSE(rig.model->on_unexpected_name);
    if (each.code == Code::rejected) {
      EXPECT_TRUE(same_in_place(before, rig.now()));
    }
  }
}

TEST(Hardened, ALoadThatCameTooLateToBeKeptIsRefused) {
  Rig rig(two_linears());
  EXPECT_OK(rig.engine->record(*rig.model));
  EXPECT_OK(rig.send_all(1, {"a.bias"}));  // the first load never brings a.bias
  rig.handle("a.bias")->tensor.zero_();
  EXPECT_OK(rig.engine->first_load_done(*rig.model));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_CODE(Code::rejected, rig.send("a.bias"));
  EXPECT_OK(rig.abort());
}

// Point 8.

ModelSpec attention(bool sinks = true) {
  return model_of({linear("a"), layer_of("attention", {{"heads", int64_t{4}}, {"sinks", sinks}}, "attn"), linear("b")});
}

TEST(Hardened, AttentionScalesReloadAndSoDoTheirHostCopies) {
  Rig rig(attention());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(0, rig.heard.count("completed attn"));
  EXPECT_OK(rig.finish());
  EXPECT_EQ(1, rig.heard.count("completed attn"));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(Hardened, AnAttentionLayerWithoutLoadsStaysAsItWas) {
  Rig rig(attention());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight", 1));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

// Skipped tensors.

// Four tables of different shapes on one layer: each comes back as itself.
TEST(Hardened, SkippedTensorsOfOneLayerAreNotTakenForOneAnother) {
  Rig rig(model_of({layer_of("fused_experts",
                             {{"hidden", int64_t{2}},
                              {"intermediate", int64_t{2}},
                              {"experts", int64_t{4}},
                              {"redundant", int64_t{2}},
                              {"parallel", std::string("expert")}},
                             "mlp.experts")}));
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(Hardened, SkippedTensorsStayOnTheDeviceAndReload) {
  Rig rig(model_of(
      {layer_of("buffers", {{"shape", std::vector<int64_t>{4, 2}}, {"skip", std::string("_expert_map")}, {"skip_delivered", true}}, "x"),
       layer_of("hadamard", {{"size", int64_t{4}}, {"delivered", true}}, "h"), layer_of("hadamard", {{"size", int64_t{4}}}, "constant")}));
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_FALSE(rig.on_meta("x._expert_map"));
  EXPECT_FALSE(rig.on_meta("h.weight"));
  EXPECT_TRUE(rig.on_meta("x.weight"));
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(1, rig.heard.count("completed x"));
  EXPECT_EQ(1, rig.heard.count("completed h"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

// Point 10.

TEST(Hardened, HundredReloadsLeaveNothingBehind) {
  Rig rig(aliases());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_OK(rig.reload(1));
  const int64_t parameters = model::Counted<model::Parameter>::live_count();
  for (int i = 0; i < 50; ++i) {
    EXPECT_OK(rig.reload(2));
    EXPECT_OK(rig.reload(1));
  }
  EXPECT_EQ(parameters, model::Counted<model::Parameter>::live_count());
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_EQ(4u, rig.engine->registered_layers());
}

TEST(Hardened, NothingOutlivesTheModelAlsoInTheMiddleOfAnUpdate) {
  const int64_t layers = model::Counted<model::Layer>::live_count();
  const int64_t parameters = model::Counted<model::Parameter>::live_count();
  Rig rig(aliases());
  rig.start();
  EXPECT_OK(rig.reload(2));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  const c10::weak_intrusive_ptr<c10::TensorImpl> kernel(rig.handle("embed.weight")->tensor.getIntrusivePtr());
  rig.model.reset();
  EXPECT_EQ(layers, model::Counted<model::Layer>::live_count());
  EXPECT_EQ(parameters, model::Counted<model::Parameter>::live_count());
  EXPECT_TRUE(kernel.expired());
  EXPECT_EQ(0u, rig.engine->registered_layers());
}

TEST(Hardened, TheModelServesOnWhenTheEngineIsGone) {
  Rig rig(two_linears());
  rig.start();
  rig.engine.reset();
  EXPECT_OK(rig.send_all(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

// Point 11.

TEST(Hardened, MisuseIsAnErrorAndChangesNothing) {
  Rig rig(two_linears());
  EXPECT_CODE(Code::misuse, rig.prepare());  // begin without record
  rig.start();
  const Picture before = rig.now();
  const model::ParameterPtr early = rig.handle("a.weight");
  EXPECT_CODE(Code::misuse, rig.engine->record(*rig.model));
  EXPECT_CODE(Code::misuse, rig.finish());          // finish without begin
  EXPECT_CODE(Code::misuse, rig.send("a.weight"));  // a load before begin
  EXPECT_OK(rig.abort());                           // nothing to abandon
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::misuse, rig.prepare());                                               // begin twice
  EXPECT_CODE(Code::misuse, (*early->loader)(*early, weight(rig.deliveries[0], 2), {}));  // a handle from before begin
  const model::ParameterPtr during = rig.handle("a.weight");
  EXPECT_OK(rig.send_all(1));
  EXPECT_OK(rig.finish());
  EXPECT_CODE(Code::misuse, rig.finish());                                                  // finish twice
  EXPECT_CODE(Code::misuse, (*during->loader)(*during, weight(rig.deliveries[0], 2), {}));  // a handle from during the reload
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Hardened, TheTorchaoFlagIsOffDuringTheReloadAndBackAfterIt) {
  for (std::optional<bool> flag : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
    Rig rig(two_linears());
    if (flag) rig.model->flags["_do_torchao_reload"] = *flag;
    const auto before = rig.model->flags;
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_FALSE(rig.model->flags.at("_do_torchao_reload"));
    EXPECT_OK(rig.send_all(2));
    EXPECT_OK(rig.finish());
    EXPECT_EQ(before, rig.model->flags);
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.abort());
    EXPECT_EQ(before, rig.model->flags);
  }
}

TEST(Hardened, WithoutAFirstLoadEveryParameterIsWaitedForAndNoBuffer) {
  Rig rig(two_linears());
  EXPECT_OK(rig.send_all(1));
  EXPECT_OK(rig.engine->record(*rig.model));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_OK(rig.send("b.weight"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

}  // namespace
}  // namespace reloadlab::layerwise
