// The seed profile rule by rule, LW1 to LW5: what they say, and what they leave out and the seed does.
#include <ATen/ops/ones.h>

#include "tests/reference/layerwise/seed_rig.h"

namespace reloadlab::layerwise {
namespace {

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

// Begin stops at the lazy parameter, before it wraps anything: the loader of what was lent is a method of the layer all the same.
TEST(SeedRegistry, L09ALentPlaceholderKeepsTheLayerWhoseMethodLoadsIt) {
  const int64_t layers = model::Counted<model::Layer>::live_count();
  {
    SeedRig rig(model_of({parts({{"lazy", true}})}));
    EXPECT_CODE(Code::failed, rig.prepare());
    rig.model.reset();
    EXPECT_EQ(1u, rig.engine->registered_layers());
  }
  EXPECT_EQ(layers, model::Counted<model::Layer>::live_count());
}

TEST(SeedRegistry, WhatIsKeptForALayerGoesWithIt) {
  const int64_t parameters = model::Counted<model::Parameter>::live_count();
  SeedRig rig(model_of({parts({{"lazy", true}, {"loader", std::string("free")}})}));
  EXPECT_CODE(Code::failed, rig.prepare());
  rig.model.reset();
  EXPECT_EQ(parameters, model::Counted<model::Parameter>::live_count());
  EXPECT_EQ(0u, rig.engine->registered_layers());
}

// Copying back fails at what is expanded, and what stands there stays: also what was registered since the update began.
TEST(SeedProcess, WhatStaysAfterAFailedCopyBackHasALoaderEvenWhereItHadNone) {
  SeedRig rig(model_of({parts({{"expanded", Shape{2, 2}}})}));
  EXPECT_OK(rig.prepare());
  rig.model->layers().front()->assign("late", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::ones({4})}));
  EXPECT_OK(rig.send_all(2));
  EXPECT_CODE(Code::failed, rig.finish());
  ASSERT_NE(rig.handle("x.late")->loader, nullptr);
  EXPECT_EQ(rig.handle("x.late")->loader->name, "default_weight_loader");
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

// What has no shape is recorded as such, and its layer stands on placeholders when its elements cannot be counted.
TEST(SeedBegin, CannotCountWhatHasNoShapeAndStopsThere) {
  SeedRig rig(model_of({linear("a", 3, 5), parts({{"lazy", true}}), linear("z", 3, 5)}));
  const Status status = rig.prepare();
  EXPECT_EQ(Code::failed, status.code());
  EXPECT_NE(std::string::npos, status.message().find("x.lazy has no shape yet")) << status.message();
  EXPECT_TRUE(rig.on_meta("a.weight"));
  EXPECT_TRUE(rig.on_meta("x.weight"));
  EXPECT_FALSE(rig.on_meta("z.weight"));
  EXPECT_EQ(nullptr, rig.handle("x.weight")->loader->wrapped) << "nobody waits for it";
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

// Engines look for the argument called param.
TEST(SeedLoad, OfALoaderThatNamesNoArgumentsFails) {
  Rig rig(two_linears(), "seed");
  const auto anything = [](model::Layer*, model::Parameter&, const at::Tensor&, const model::LoadArgs&) { return Status(); };
  rig.handle("a.weight")->loader =
      std::make_shared<const model::Loader>(model::Loader{.name = "anything", .function = anything, .nameless = true});
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_EQ("load of a.weight: the loader has no argument called param", rig.send("a.weight").message());
  EXPECT_OK(rig.send("a.bias"));
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
}  // namespace
}  // namespace reloadlab::layerwise
