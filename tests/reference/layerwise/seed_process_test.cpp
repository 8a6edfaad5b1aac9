// The seed profile rule by rule, LW6 to LW8: what they say, and what they leave out and the seed does.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "tests/reference/layerwise/seed_rig.h"

namespace reloadlab::layerwise {
namespace {

// LW6

TEST(SeedProcess, ReloadsPlainLayersAndKeepsAddresses) {
  SeedRig rig(two_linears());
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(SeedProcess, ReplaysInArrivalOrder) {
  SeedRig rig(model_of({linear("a", 4, 6, {{"bias", true}})}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.bias", 1));
  EXPECT_OK(rig.send("a.bias", 2));
  EXPECT_OK(rig.finish());
  EXPECT_EQ(entry(cold(rig.spec, 2), "a.bias").bytes, entry(rig.now(), "a.bias").bytes);
}

TEST(SeedProcess, PaddingIsUninitializedAfterTheReload) {
  SeedRig rig(model_of({linear("a", 4, 5, {{"pad_rows_to", int64_t{4}}})}));
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(has_nan(rig.handle("a.weight")->tensor));
}

// Leaves what the test says.
class SeedStep final : public model::QuantMethod {
 public:
  explicit SeedStep(std::function<void(model::Layer&)> body) : body_(std::move(body)) {}
  std::string_view id() const override { return "step"; }

 protected:
  Status process(model::Layer& layer) override {
    body_(layer);
    return {};
  }

 private:
  std::function<void(model::Layer&)> body_;
};

Status reload_with_step(SeedRig& rig, std::function<void(model::Layer&)> body) {
  rig.model->find("a")->quant_method = std::make_shared<SeedStep>(std::move(body));
  return rig.reload(2);
}

void replace_seed(model::Layer& layer, const std::string& name, const at::Tensor& tensor) {
  auto handle = std::make_shared<model::Parameter>();
  handle->tensor = tensor;
  layer.assign(name, handle);
}

TEST(SeedProcess, TheCopyBackBroadcastsAndCastsInSilence) {
  SeedRig rig(two_linears());
  EXPECT_OK(reload_with_step(rig, [](model::Layer& layer) { replace_seed(layer, "weight", at::ones({1, 4}, at::kDouble)); }));
  EXPECT_TRUE(rig.handle("a.weight")->tensor.equal(at::ones({6, 4})));
}

TEST(SeedProcess, ATensorRegisteredDuringTheReloadIsDiscarded) {
  SeedRig rig(two_linears());
  EXPECT_OK(reload_with_step(rig, [](model::Layer& layer) { replace_seed(layer, "late", at::ones({2})); }));
  EXPECT_FALSE(rig.handle("a.late"));
}

TEST(SeedProcess, AMissingNameFailsInTheMiddleOfTheCopyBack) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  rig.model->find("a")->quant_method = std::make_shared<SeedStep>([](model::Layer& layer) { layer.erase("bias"); });
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_CODE(Code::failed, rig.send("a.bias"));
  EXPECT_FALSE(rig.handle("a.bias"));
}

// The arguments of loads that wait hold what they were replayed onto, which the step may have replaced.
TEST(SeedProcess, OneThatFailsKeepsWhatItsLoadsWereReplayedOntoUntilTheNextReload) {
  SeedRig rig(two_linears());
  std::weak_ptr<model::Parameter> replayed;
  EXPECT_CODE(Code::failed, reload_with_step(rig, [&](model::Layer& layer) {
                replayed = layer.tensor("weight");
                replace_seed(layer, "weight", at::ones({6, 4}));
                layer.erase("bias");
              }));
  EXPECT_FALSE(replayed.expired());
  rig.model->find("a")->quant_method = nullptr;
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(replayed.expired());
}

// As vLLM's does: a retry that still had it would need more at its peak.
TEST(SeedProcess, WhatOneThatFailedHadMaterializedIsGoneWhenTheStepRunsAgain) {
  SeedRig rig(two_linears());
  std::weak_ptr<model::Parameter> failed;
  std::optional<bool> gone;
  rig.model->find("a")->quant_method = std::make_shared<SeedStep>([&](model::Layer& layer) {
    failed = layer.tensor("weight");
    throw std::runtime_error("injected");
  });
  EXPECT_CODE(Code::failed, rig.reload(2, {"a.bias"}));
  rig.model->find("a")->quant_method = std::make_shared<SeedStep>([&](model::Layer&) { gone = failed.expired(); });
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.finish());
  EXPECT_EQ(gone, true);
}

TEST(SeedProcess, DropsTheAlreadyProcessedMarkBeforeTheStep) {
  SeedRig rig(two_linears());
  rig.model->find("a")->post_load_done = true;
  bool done = true;
  EXPECT_OK(reload_with_step(rig, [&](model::Layer& layer) { done = layer.post_load_done; }));
  EXPECT_FALSE(done);
}

// LW7

TEST(SeedFinish, ALayerWithoutLoadsGetsItsTensorsBackUntouched) {
  SeedRig rig(two_linears());
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(SeedFinish, AnIncompleteLayerIsProcessedNowWithWhateverMemoryHeld) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.reload(2, {"a.bias"}));
  EXPECT_TRUE(has_nan(rig.handle("a.bias")->tensor));
  EXPECT_EQ(0, rig.heard.count("missing"));
}

ModelSpec seed_attention(bool sinks) {
  return model_of({layer_of("attention", {{"heads", int64_t{4}}, {"sinks", sinks}}, "attn"), linear("b")});
}

TEST(SeedFinish, AnAttentionLayerThatReceivedLoadsIsNotImplemented) {
  SeedRig rig(seed_attention(true));
  EXPECT_CODE(Code::unsupported, rig.reload(2));
  EXPECT_TRUE(rig.on_meta("attn.sinks"));  // and stays as it is
}

TEST(SeedFinish, AOneElementScaleCountsNothingAndIsLostWithoutAnError) {
  SeedRig rig(seed_attention(false));
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ(entry(before, "attn.k_scale").bytes, entry(rig.now(), "attn.k_scale").bytes);
}

// No copy of a helper stays behind while another one is made.
TEST(SeedFinish, AHelperGoesWhenAnotherTakesItsPlace) {
  SeedRig rig(model_of({layer_of("attention", {{"heads", int64_t{4}}}, "x")}));
  model::Layer& layer = *rig.model->find("x");
  layer.extra.tensors["helper"] = at::ones({2});
  const c10::weak_intrusive_ptr<c10::TensorImpl> old(layer.extra.tensors["helper"].getIntrusivePtr());
  bool gone = false;
  layer.own_post_load = [&](model::Layer& own) {
    own.extra.tensors["helper"] = at::zeros({2});
    gone = old.expired();
    return Status();
  };
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(gone);
}

TEST(SeedFinish, ASecondOneDeletesTheTensorsOfAttentionLayers) {
  SeedRig rig(seed_attention(false));
  rig.model->find("attn")->own_post_load = nullptr;
  EXPECT_OK(rig.reload(2));
  EXPECT_OK(rig.finish());
  EXPECT_FALSE(rig.handle("attn.k_scale"));
  EXPECT_TRUE(rig.handle("b.weight"));
}

TEST(SeedFinish, AnAttentionClassThatTheEngineDoesNotListKeepsStaleHostCopies) {
  SeedRig rig(
      model_of({layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}, {"class", std::string("encoder_attention")}}, "attn")}));
  const double before = rig.model->find("attn")->extra.host.at("k_scale_float");
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ(before, rig.model->find("attn")->extra.host.at("k_scale_float"));
}

TEST(SeedFinish, WithoutBeginFails) {
  SeedRig rig(two_linears());
  EXPECT_CODE(Code::failed, rig.finish());
}

// LW8

ModelSpec seed_tied_head(Values head = {}) {
  head.merge(Values{{"vocab", int64_t{6}}, {"hidden", int64_t{4}}});
  ModelSpec spec =
      model_of({layer_of("vocab_parallel_embedding", {{"vocab", int64_t{6}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{1}}}, "embed"),
                layer_of("parallel_lm_head", std::move(head), "head")});
  spec.layers[1].tied_to = "embed.weight";
  return spec;
}

TEST(SeedTies, TwoLayersHoldSeparatePlaceholdersAndOnlyTheOneThatIsNamedIsProcessed) {
  SeedRig rig(seed_tied_head({{"pad_to", int64_t{1}}}));
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_NE(rig.handle("embed.weight"), rig.handle("head.weight"));
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(1, rig.heard.count("completed embed"));
  EXPECT_EQ(0, rig.heard.count("completed head"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_EQ(rig.handle("embed.weight"), rig.handle("head.weight"));
}

TEST(SeedTies, AnyLoadOfItsOwnLetsTheOtherLayerOverwriteTheTiedStorageWithGarbage) {
  ModelSpec spec = model_of({linear("a"), linear("b", 4, 4, {{"bias", true}})});
  spec.layers[1].tied_to = "a.weight";
  SeedRig rig(spec);
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(has_nan(rig.handle("a.weight")->tensor));
}

TEST(SeedTies, OneTensorUnderTwoNamesOfALayerCountsTwiceAndCompletesHalfLoaded) {
  SeedRig rig(model_of({parts({{"second_name", std::string("again")}})}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("x.weight"));
  EXPECT_EQ(0, rig.heard.count("completed"));  // 16 of 32
  EXPECT_OK(rig.send("x.weight"));
  EXPECT_EQ(1, rig.heard.count("completed x"));
  EXPECT_TRUE(has_nan(rig.handle("x.weight")->tensor));  // the second name was never loaded, and is copied back last
}

// Single policies on the seed.

TEST(SeedWith, UnloadedPreserveKeepsWhatWasNotSent) {
  Rig rig(two_linears(), "seed,unloaded=preserve");
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2, {"a.bias"}));
  EXPECT_EQ(entry(before, "a.bias").bytes, entry(rig.now(), "a.bias").bytes);
  EXPECT_EQ(entry(cold(rig.spec, 2), "a.weight").bytes, entry(rig.now(), "a.weight").bytes);
}

TEST(SeedWith, MissingWarnReportsTheLayer) {
  Rig rig(two_linears(), "seed,missing=warn");
  rig.start();
  EXPECT_OK(rig.reload(2, {"a.bias"}));
  EXPECT_EQ(1, rig.heard.count("missing a 6"));
}

TEST(SeedWith, NamesKeepLeavesOrderAndPersistence) {
  Rig rig(model_of({parts({{"bias", std::string("empty")}, {"buffer", Shape{3}}, {"buffer_persistent", false}})}), "seed,names=keep");
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ(before.names(), rig.now().names());
  EXPECT_FALSE(rig.model->find("x")->buffers.find("running")->persistent);
}

TEST(SeedWith, LayoutExactKeepsStrides) {
  Rig rig(model_of({parts({{"strides", Shape{8, 1}}})}), "seed,layout=exact");
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_EQ((Shape{8, 1}), rig.handle("x.weight")->tensor.strides().vec());
}

TEST(SeedWith, ScalesReloadReloadsAttentionThatCounted) {
  Rig rig(seed_attention(true), "seed,scales=reload");
  rig.start();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

}  // namespace
}  // namespace reloadlab::layerwise
