// The seed profile rule by rule: what LW1-LW8 say, and what they leave out and the seed does.
#include "reference/model/guard.h"
#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

using Shape = std::vector<int64_t>;

LayerSpec parts(Values values, const std::string& name = "x") {
  values.emplace("shape", Shape{4, 4});
  return layer_of("buffers", std::move(values), name);
}

struct SeedRig : Rig {
  explicit SeedRig(const ModelSpec& the_spec) : Rig(the_spec, "seed") { start(); }
};

ModelSpec two_linears() { return model_of({linear("a", 4, 6, {{"bias", true}}), linear("b")}); }

const Picture::Entry& entry(const Picture& picture, const std::string& path) {
  for (const Picture::Entry& each : picture.entries)
    if (each.path == path) return each;
  ADD_FAILURE() << "nothing is called " << path;
  return picture.entries.front();
}

bool has_nan(const at::Tensor& tensor) { return tensor.isnan().any().item<bool>(); }

// LW1

TEST(SeedRecord, PlaceholdersKeepShapeClassAttributesAndLoader) {
  SeedRig rig(model_of({linear("a", 3, 5, {{"pad_rows_to", int64_t{4}}})}));
  const model::ParameterPtr before = rig.handle("a.weight");
  EXPECT_OK(rig.prepare());
  const model::ParameterPtr placeholder = rig.handle("a.weight");
  EXPECT_TRUE(placeholder->tensor.is_meta());
  EXPECT_EQ(before->tensor.sizes(), placeholder->tensor.sizes());
  EXPECT_EQ(before->tensor_class, placeholder->tensor_class);
  EXPECT_EQ(before->attributes, placeholder->attributes);
  EXPECT_EQ(before->loader->name, placeholder->loader->wrapped->name);
  EXPECT_FALSE(placeholder->loader->wrapped->self.expired());  // bound again
}

TEST(SeedRecord, StridesSurviveForDenseTensorsOnly) {
  SeedRig rig(model_of({parts({{"strides", Shape{8, 1}}, {"expanded", Shape{2, 8}}}), parts({{"strides", Shape{1, 4}}}, "t")}));
  EXPECT_OK(rig.prepare());
  EXPECT_EQ((Shape{4, 1}), rig.handle("x.weight")->tensor.strides().vec());
  EXPECT_EQ((Shape{8, 1}), rig.handle("x.expanded")->tensor.strides().vec());
  EXPECT_EQ((Shape{1, 4}), rig.handle("t.weight")->tensor.strides().vec());
}

TEST(SeedRecord, SkippedNamesAndClassesStayOnTheDevice) {
  SeedRig rig(model_of({parts({{"skip", std::string("expert_mask")}}), layer_of("hadamard", {{"size", int64_t{4}}}, "h")}));
  EXPECT_OK(rig.prepare());
  EXPECT_FALSE(rig.on_meta("x.expert_mask"));
  EXPECT_FALSE(rig.on_meta("h.weight"));
}

// LW2

TEST(SeedRegistry, ForgetsALayerThatDiesBeforeTheFirstBegin) {
  SeedRig rig(two_linears());
  EXPECT_EQ(2u, rig.engine->registered_layers());
  rig.model.reset();
  EXPECT_EQ(0u, rig.engine->registered_layers());
}

TEST(SeedRegistry, L09RecordAndLayerKeepEachOtherAliveFromTheFirstBeginOn) {
  const int64_t layers = model::Counted<model::Layer>::live_count();
  {
    SeedRig rig(two_linears());
    EXPECT_OK(rig.reload(2));
    rig.model.reset();
    EXPECT_EQ(2u, rig.engine->registered_layers());
    EXPECT_EQ(layers + 2, model::Counted<model::Layer>::live_count());
  }
  EXPECT_EQ(layers, model::Counted<model::Layer>::live_count());  // the instance cuts what it has tied
}

TEST(SeedRegistry, TheRecordsOwnPlaceholdersAreRegisteredAgainAndAgain) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  const model::ParameterPtr placeholder = rig.handle("a.weight");
  placeholder->attributes.emplace("left_by_a_loader", true);
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.finish());
  EXPECT_OK(rig.prepare());
  EXPECT_EQ(placeholder, rig.handle("a.weight"));
  EXPECT_TRUE(rig.handle("a.weight")->attributes.contains("left_by_a_loader"));
  EXPECT_FALSE(rig.handle("a.weight")->loader->wrapped->wrapped);  // wrapped once
}

// LW3

TEST(SeedBegin, RemembersAndSwitchesOffTheTorchaoFlag) {
  SeedRig rig(two_linears());
  rig.model->flags["_do_torchao_reload"] = true;
  EXPECT_OK(rig.prepare());
  EXPECT_FALSE(rig.model->flags.at("_do_torchao_reload"));
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(rig.model->flags.at("_do_torchao_reload"));
}

TEST(SeedBegin, ASecondOneLosesTheTorchaoFlag) {
  SeedRig rig(two_linears());
  rig.model->flags["_do_torchao_reload"] = true;
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.finish());
  EXPECT_FALSE(rig.model->flags.at("_do_torchao_reload"));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));  // layers that are armed were left alone
}

TEST(SeedBegin, WithoutRecordDeletesTheTensors) {
  Rig rig(two_linears(), "seed");
  EXPECT_OK(rig.send_all(1));
  EXPECT_OK(rig.prepare());
  EXPECT_TRUE(rig.now().entries.empty());
}

TEST(SeedBegin, RegisteringAgainMovesNamesBehindEmptySlotsAndMakesBuffersPersistent) {
  SeedRig rig(model_of({parts({{"bias", std::string("empty")}, {"buffer", Shape{3}}, {"buffer_persistent", false}})}));
  EXPECT_EQ((std::vector<std::string>{"x.weight", "x.bias", "x.running"}), rig.now().names());
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ((std::vector<std::string>{"x.bias", "x.weight", "x.running"}), rig.now().names());
  EXPECT_TRUE(rig.model->find("x")->buffers.find("running")->persistent);
}

TEST(SeedBegin, WrapsSkippedTensorsAndALoadOntoOneFails) {
  SeedRig rig(model_of({parts({{"skip", std::string("expert_mask")}, {"skip_delivered", true}}),
                        layer_of("hadamard", {{"size", int64_t{4}}, {"delivered", true}}, "h")}));
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::failed, rig.send("x.expert_mask"));
  EXPECT_CODE(Code::failed, rig.send("h.weight"));
}

TEST(SeedBegin, AfterAReloadWithoutLoadsTheWrapperStaysOnSkippedTensorsAndDropsLoads) {
  SeedRig rig(model_of({parts({{"skip", std::string("expert_mask")}, {"skip_delivered", true}})}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.finish());
  const Picture before = rig.now();
  EXPECT_TRUE(rig.handle("x.expert_mask")->loader->wrapped);
  EXPECT_OK(rig.send("x.expert_mask"));
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_EQ(1, rig.heard.count("dropped x.expert_mask"));
}

TEST(SeedBegin, SkippedTensorsAreWaitedForAndSoTheLayerIsDelayed) {
  SeedRig rig(model_of({parts({{"skip", std::string("expert_mask")}})}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("x.weight"));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_OK(rig.finish());
  EXPECT_EQ(1, rig.heard.count("completed"));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

// LW4

TEST(SeedLoad, OnALayerThatIsNotArmedIsDropped) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  const model::ParameterPtr placeholder = rig.handle("b.weight");
  EXPECT_OK(rig.send("b.weight"));
  EXPECT_OK((*placeholder->loader)(*placeholder, weight(rig.deliveries[2], 1), {}));
  EXPECT_EQ(1, rig.heard.count("dropped b.weight"));
}

TEST(SeedLoad, IsBufferedByReference) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  at::Tensor source = weight(rig.deliveries[0], 2);
  EXPECT_OK(rig.send("a.weight", source));
  source.fill_(7);
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_TRUE(rig.handle("a.weight")->tensor.eq(7).all().item<bool>());
}

TEST(SeedLoad, ThatFailsStaysBufferedAndBreaksTheRetry) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::failed, rig.send("b.weight", at::ones({3, 3})));
  EXPECT_CODE(Code::failed, rig.send("b.weight"));  // replays the bad entry
}

TEST(SeedLoad, ThroughAHandleFromBeforeBeginWritesTheKernelTensor) {
  SeedRig rig(two_linears());
  const model::ParameterPtr kernel = rig.handle("b.weight");
  EXPECT_OK(rig.prepare());
  const at::Tensor loaded = weight(rig.deliveries[2], 2);
  EXPECT_OK((*kernel->loader)(*kernel, loaded, {}));
  EXPECT_TRUE(kernel->tensor.equal(loaded));
}

// LW5

TEST(SeedCounting, FillsAndForeachCopiesDoNotCount) {
  SeedRig rig(model_of({layer_of("scalars", {{"rows", int64_t{2}}, {"columns", int64_t{2}}}, "s"),
                        layer_of("custom_loader", {{"rows", int64_t{2}}, {"columns", int64_t{2}}, {"via", std::string("foreach")}}, "f")}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(1, rig.heard.count("counted s.weight_scale 0"));
  EXPECT_EQ(1, rig.heard.count("counted f.weight 0"));
  EXPECT_EQ(0, rig.heard.count("completed"));
}

TEST(SeedCounting, TemporariesOnMetaCountAndThereIsNoCap) {
  SeedRig rig(model_of(
      {layer_of("custom_loader", {{"rows", int64_t{2}}, {"columns", int64_t{2}}, {"via", std::string("temporary")}, {"bias", true}}, "t"),
       layer_of("custom_loader", {{"rows", int64_t{2}}, {"columns", int64_t{2}}, {"via", std::string("twice")}, {"bias", true}}, "w")}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("t.weight"));
  EXPECT_OK(rig.send("w.weight"));
  EXPECT_EQ(1, rig.heard.count("counted t.weight 8"));
  EXPECT_EQ(1, rig.heard.count("counted w.weight 8"));
  EXPECT_EQ(2, rig.heard.count("completed"));  // without their biases
  EXPECT_TRUE(has_nan(rig.handle("t.bias")->tensor));
}

TEST(SeedCounting, ASourceThatBroadcastsFails) {
  SeedRig rig(
      model_of({layer_of("custom_loader", {{"rows", int64_t{2}}, {"columns", int64_t{2}}, {"via", std::string("broadcast")}}, "x")}));
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::failed, rig.send("x.weight"));
}

TEST(SeedCounting, AShardDeliveredTwiceCompletesALayerThatIsNotComplete) {
  SeedRig rig(model_of({layer_of("merged_column_parallel_linear", {{"in", int64_t{4}}, {"outs", Shape{4, 4}}}, "x")}));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  EXPECT_EQ(1, rig.heard.count("completed x"));
  EXPECT_TRUE(has_nan(rig.handle("x.weight")->tensor));
}

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
class Step final : public model::QuantMethod {
 public:
  explicit Step(std::function<void(model::Layer&)> body) : body_(std::move(body)) {}
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
  rig.model->find("a")->quant_method = std::make_shared<Step>(std::move(body));
  return rig.reload(2);
}

void replace(model::Layer& layer, const std::string& name, const at::Tensor& tensor) {
  auto handle = std::make_shared<model::Parameter>();
  handle->tensor = tensor;
  layer.assign(name, handle);
}

TEST(SeedProcess, TheCopyBackBroadcastsAndCastsInSilence) {
  SeedRig rig(two_linears());
  EXPECT_OK(reload_with_step(rig, [](model::Layer& layer) { replace(layer, "weight", at::ones({1, 4}, at::kDouble)); }));
  EXPECT_TRUE(rig.handle("a.weight")->tensor.equal(at::ones({6, 4})));
}

TEST(SeedProcess, ATensorRegisteredDuringTheReloadIsDiscarded) {
  SeedRig rig(two_linears());
  EXPECT_OK(reload_with_step(rig, [](model::Layer& layer) { replace(layer, "late", at::ones({2})); }));
  EXPECT_FALSE(rig.handle("a.late"));
}

TEST(SeedProcess, AMissingNameFailsInTheMiddleOfTheCopyBack) {
  SeedRig rig(two_linears());
  EXPECT_OK(rig.prepare());
  rig.model->find("a")->quant_method = std::make_shared<Step>([](model::Layer& layer) { layer.erase("bias"); });
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_CODE(Code::failed, rig.send("a.bias"));
  EXPECT_FALSE(rig.handle("a.bias"));
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

ModelSpec attention(bool sinks) {
  return model_of({layer_of("attention", {{"heads", int64_t{4}}, {"sinks", sinks}}, "attn"), linear("b")});
}

TEST(SeedFinish, AnAttentionLayerThatReceivedLoadsIsNotImplemented) {
  SeedRig rig(attention(true));
  EXPECT_CODE(Code::unsupported, rig.reload(2));
  EXPECT_TRUE(rig.on_meta("attn.sinks"));  // and stays as it is
}

TEST(SeedFinish, AOneElementScaleCountsNothingAndIsLostWithoutAnError) {
  SeedRig rig(attention(false));
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2));
  EXPECT_EQ(entry(before, "attn.k_scale").bytes, entry(rig.now(), "attn.k_scale").bytes);
}

TEST(SeedFinish, ASecondOneDeletesTheTensorsOfAttentionLayers) {
  SeedRig rig(attention(false));
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

ModelSpec tied_head(Values head = {}) {
  head.merge(Values{{"vocab", int64_t{6}}, {"hidden", int64_t{4}}});
  ModelSpec spec =
      model_of({layer_of("vocab_parallel_embedding", {{"vocab", int64_t{6}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{1}}}, "embed"),
                layer_of("parallel_lm_head", std::move(head), "head")});
  spec.layers[1].tied_to = "embed.weight";
  return spec;
}

TEST(SeedTies, TwoLayersHoldSeparatePlaceholdersAndOnlyTheOneThatIsNamedIsProcessed) {
  SeedRig rig(tied_head({{"pad_to", int64_t{1}}}));
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
  Rig rig(attention(true), "seed,scales=reload");
  rig.start();
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

}  // namespace
}  // namespace reloadlab::layerwise
