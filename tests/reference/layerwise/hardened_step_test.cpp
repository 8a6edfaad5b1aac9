// What post-load steps may leave behind, and what becomes of it: nothing reaches a kernel tensor that does not fit, and what a step
// replaces keeps its address.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

using Body = std::function<void(model::Layer&)>;

class Step final : public model::QuantMethod {
 public:
  explicit Step(Body body) : body_(std::move(body)) {}
  std::string_view id() const override { return "step"; }

 protected:
  Status process(model::Layer& layer) override {
    body_(layer);
    return {};
  }

 private:
  Body body_;
};

void replace(model::Layer& layer, const std::string& name, const at::Tensor& tensor) {
  auto handle = std::make_shared<model::Parameter>();
  handle->tensor = tensor;
  layer.assign(name, handle);
}

// A started model whose layer a gets another step for the reload.
struct Stepped : Rig {
  explicit Stepped(Body body) : Rig(model_of({linear("a", 4, 6, {{"bias", true}}), linear("b")})) {
    start();
    model->find("a")->quant_method = std::make_shared<Step>(std::move(body));
  }
};

TEST(HardenedStep, WhatDoesNotFitTheKernelTensorsIsRejectedBeforeTheFirstCopy) {
  const std::pair<const char*, Body> steps[] = {{"shape", [](model::Layer& layer) { replace(layer, "bias", at::ones({1})); }},
                                                {"dtype", [](model::Layer& layer) { replace(layer, "bias", at::ones({6}, at::kDouble)); }},
                                                {"a new name", [](model::Layer& layer) { replace(layer, "late", at::ones({2})); }},
                                                {"a name gone", [](model::Layer& layer) { layer.erase("bias"); }}};
  for (const auto& [what, step] : steps) {
    SCOPED_TRACE(what);
    Stepped rig(step);
    const Picture before = rig.now();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    EXPECT_CODE(Code::rejected, rig.send("a.bias"));
    EXPECT_TRUE(rig.on_meta("a.bias"));  // armed as before the call
    EXPECT_FALSE(rig.handle("a.late"));
    rig.model->find("a")->quant_method = nullptr;
    EXPECT_OK(rig.abort());
    EXPECT_TRUE(same_in_place(before, rig.now()));
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
}

TEST(HardenedStep, AHelperTensorThatTheStepReplacesKeepsItsAddressAndIsUndoneByAbort) {
  Stepped rig([](model::Layer& layer) {
    layer.extra.tensors["helper"] = layer.tensor("bias")->tensor.clone();
    layer.extra.host["scale"] = 2;
  });
  model::Layer& layer = *rig.model->find("a");
  const at::Tensor helper = at::zeros({6});
  layer.extra.tensors["helper"] = helper;
  layer.extra.host["scale"] = 1;
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_TRUE(layer.extra.tensors.at("helper").is_same(helper));
  EXPECT_TRUE(helper.equal(rig.handle("a.bias")->tensor));
  EXPECT_EQ(2, layer.extra.host.at("scale"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(layer.extra.tensors.at("helper").is_same(helper));
  EXPECT_TRUE(helper.equal(at::zeros({6})));
  EXPECT_EQ(1, layer.extra.host.at("scale"));
}

TEST(HardenedStep, TheAlreadyProcessedMarkIsDroppedForTheStepAndRestoredByAbort) {
  bool seen = true;
  Stepped rig([&](model::Layer& layer) { seen = layer.post_load_done; });
  model::Layer& layer = *rig.model->find("a");
  layer.post_load_done = true;
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_FALSE(seen);
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(layer.post_load_done);
}

// A deferred layer's own step, on the kernel tensors of a layer that received nothing.
TEST(HardenedStep, WhatADeferredLayersOwnStepReplacesKeepsItsAddress) {
  Rig rig(model_of({linear("a"), layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn")}));
  rig.start();
  const Picture before = rig.now();
  rig.model->find("attn")->own_post_load = [&](model::Layer& layer) {
    replace(layer, "k_scale", layer.tensor("k_scale")->tensor.clone());                   // another handle
    layer.tensor("v_scale")->tensor = rig.handle("a.weight")->tensor.sum().reshape({1});  // another tensor, derived from another layer
    return Status();
  };
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.finish());
  const Picture after = rig.now();
  EXPECT_EQ(before.names(), after.names());
  for (size_t i = 0; i < after.entries.size(); ++i) EXPECT_EQ(before.entries[i].storage, after.entries[i].storage) << after.entries[i].path;
  EXPECT_TRUE(rig.handle("attn.v_scale")->tensor.equal(rig.handle("a.weight")->tensor.sum().reshape({1})));
}

TEST(HardenedStep, WhatADeferredLayerDerivedFromOthersIsDerivedAgainWhenTheyAreUndone) {
  Rig rig(model_of({linear("a"), layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn"),
                    layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "last")}));
  rig.start();
  rig.model->find("attn")->own_post_load = [&](model::Layer& layer) {
    layer.extra.host["sum"] = rig.handle("a.weight")->tensor.sum().item<double>();
    return Status();
  };
  int failures = 0;
  rig.model->find("last")->own_post_load = [&](model::Layer&) { return failures-- > 0 ? Status(Code::failed, "injected") : Status(); };
  for (int times : {1, 2}) {
    failures = times;
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    rig.model->find("attn")->extra.host["sum"] = -1;
    EXPECT_CODE(Code::failed, rig.finish());
    EXPECT_EQ(rig.handle("a.weight")->tensor.sum().item<double>(), rig.model->find("attn")->extra.host.at("sum"));
    EXPECT_EQ(times == 2, rig.engine->unusable());  // the failing step failed again when it was to undo itself
    EXPECT_OK(rig.reload(2));
    EXPECT_FALSE(rig.engine->unusable());
    EXPECT_OK(rig.reload(1));
  }
}

// A step that nothing could have changed the result of is not run: kernels' scales are asked of the device, which then has to be waited
// for.
TEST(HardenedStep, AnOwnStepThatLooksNoFurtherRunsWhereSomethingCame) {
  const LayerSpec scaled = layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn");
  const auto runs = [&](const char* policy, bool within, const std::set<std::string>& except) {
    Rig rig(model_of({linear("a"), scaled}), policy);
    rig.start();
    int count = 0;
    const auto step = [&](model::Layer&) { return ++count, Status(); };
    rig.model->find("attn")->own_post_load = within ? model::OwnStep::within_layer(step) : model::OwnStep(step);
    EXPECT_OK(rig.reload(2, except));
    return count;
  };
  const std::set<std::string> all{"attn.sinks", "attn.k_scale", "attn.v_scale"}, but_one{"attn.sinks", "attn.k_scale"};
  EXPECT_EQ(0, runs("hardened", true, all));
  EXPECT_EQ(1, runs("hardened", true, but_one));
  EXPECT_EQ(1, runs("hardened", true, {}));
  EXPECT_EQ(1, runs("hardened", false, all));
  EXPECT_EQ(1, runs("hardened,own_steps=always", true, all));
}

TEST(HardenedStep, AnOwnStepRunsAgainOnALayerThatAnAbandonedUpdateHasSpoiled) {
  const Values sinks{{"heads", int64_t{4}}, {"sinks", true}};
  Rig rig(model_of({layer_of("attention", sinks, "attn"), layer_of("attention", sinks, "last")}), "hardened,abort=unusable");
  rig.start();
  int failures = 1, count = 0;
  rig.model->find("attn")->own_post_load = model::OwnStep::within_layer([&](model::Layer&) { return ++count, Status(); });
  rig.model->find("last")->own_post_load = [&](model::Layer&) { return failures-- > 0 ? Status(Code::failed, "injected") : Status(); };
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all());
  EXPECT_CODE(Code::failed, rig.finish());
  ASSERT_TRUE(rig.engine->unusable());
  count = 0;
  EXPECT_OK(rig.reload(2, {"attn.sinks", "attn.k_scale", "attn.v_scale"}));
  EXPECT_EQ(1, count);
}

TEST(HardenedStep, NamesKeepTheirOrderAndPersistenceWhileTheLayerIsArmed) {
  Rig rig(model_of({layer_of("buffers",
                             {{"shape", std::vector<int64_t>{4, 2}},
                              {"bias", std::string("empty")},
                              {"buffer", std::vector<int64_t>{3}},
                              {"buffer_persistent", false}},
                             "x")}));
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  const Picture armed = rig.now();
  EXPECT_EQ(before.names(), armed.names());
  for (size_t i = 0; i < armed.entries.size(); ++i) EXPECT_EQ(before.entries[i].kept, armed.entries[i].kept);
}

}  // namespace
}  // namespace reloadlab::layerwise
