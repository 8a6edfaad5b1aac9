// Corners of what the hardened profile promises: what one part relies on another one for.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <stdexcept>

#include "reference/model/tap/tap.h"
#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

model::LoaderPtr loader(std::function<void(model::Parameter& to, const at::Tensor& from)> body) {
  return model::free_loader("weight_loader", [=](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs&) {
    body(to, from);
    return Status();
  });
}

TEST(HardenedCorner, DeferredLayersDeriveAfterLayersThatFinishProcesses) {
  Rig rig(model_of({layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn"), linear("a", 4, 6, {{"bias", true}})}));
  rig.start();
  at::Tensor seen;
  rig.model->find("attn")->own_post_load = [&](model::Layer&) {
    seen = rig.handle("a.weight")->tensor.clone();
    return Status();
  };
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));  // the bias does not come, so a waits for finish
  EXPECT_OK(rig.send("attn.sinks"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(seen.equal(weight(rig.deliveries.at(3), 2)));
}

TEST(HardenedCorner, LoadersMayLookAtSkippedTensorsAtAnyTime) {
  Rig rig(model_of(
      {layer_of("buffers", {{"shape", std::vector<int64_t>{4, 2}}, {"skip", std::string("_expert_map")}, {"skip_delivered", true}}, "x")}));
  model::Layer& layer = *rig.model->find("x");
  std::set<int> seen;
  rig.handle("x.weight")->loader = loader([&](model::Parameter& to, const at::Tensor& from) {
    to.tensor.copy_(from);
    for (int i : {0, 1}) seen.insert(layer.tensor("_expert_map")->tensor[i].item<int>());
  });
  rig.start();
  seen.clear();
  const at::Tensor old_map = rig.handle("x._expert_map")->tensor.clone();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("x.weight"));
  EXPECT_OK(rig.send("x._expert_map"));
  EXPECT_OK(rig.finish());
  EXPECT_EQ((std::set<int>{old_map[0].item<int>(), old_map[1].item<int>()}), seen);
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(HardenedCorner, AnExpandedConstantOutlivesAnAbandonedStreamingUpdate) {
  Rig rig(model_of({layer_of("buffers", {{"shape", std::vector<int64_t>{4, 2}}, {"expanded", std::vector<int64_t>{2, 4}}}, "x")}),
          "hardened,abort=unusable");
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("x.weight"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

// Throws from one copy into a tensor's storage.
class FailingCopy final : public model::OpListener {
 public:
  FailingCopy(const at::Tensor& kernel) : kernel_(kernel.storage().unsafeGetStorageImpl()) {}
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    if (op.schema().name() != "aten::copy_") return;
    if (stack[stack.size() - 3].toTensor().storage().unsafeGetStorageImpl() == kernel_ && fails-- == 1)
      throw std::runtime_error("injected");
  }
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}
  int fails = 1;

 private:
  const c10::StorageImpl* kernel_;
};

TEST(HardenedCorner, ALoadThatFailsBetweenTwoCopiesBackLeavesNothingThatALaterAbortCouldMistakeForOldWeights) {
  Rig rig(model_of({linear("a", 4, 6, {{"bias", true}})}));
  rig.start();
  const Picture before = rig.now();
  FailingCopy fault(rig.handle("a.bias")->tensor);
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  {
    model::TapGuard tap(model::Tap::harness, fault);
    EXPECT_CODE(Code::failed, rig.send("a.bias"));
  }
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(HardenedCorner, LoadsThatFailedDoNotCountAgainstTheLimit) {
  // 512 buffered, 512 kernel, 512 materialized
  Rig rig(model_of({linear("a", 16, 8)}), "hardened", {.extra_bytes_limit = 1536});
  rig.start();
  EXPECT_OK(rig.prepare());
  for (int i = 0; i < 5; ++i) EXPECT_CODE(Code::failed, rig.send("a.weight", at::ones({8, 15})));
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.finish());
}

TEST(HardenedCorner, ADeferredLayerIsHeldToTheLimitAtFinish) {
  // 16 buffered; to process: 16 for each of the kernel tensor's copy and the materialized sinks, and the scales
  Rig rig(model_of({layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn")}), "hardened", {.extra_bytes_limit = 16});
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("attn.sinks"));
  EXPECT_CODE(Code::rejected, rig.finish());
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(HardenedCorner, AParameterThatTheFirstLoadRegistersIsPartOfTheReload) {
  Rig rig(model_of({linear("a", 4, 6)}));
  model::Layer& layer = *rig.model->find("a");
  rig.handle("a.weight")->loader = loader([&](model::Parameter& to, const at::Tensor& from) {
    to.tensor.copy_(from);
    if (layer.tensor("late")) return;
    auto late = std::make_shared<model::Parameter>();
    late->tensor = at::zeros({2});
    layer.parameters.set("late", late);
  });
  auto send_late = [&](double value) {
    const model::ParameterPtr late = layer.tensor("late");
    const model::LoaderPtr through = late->loader ? late->loader : model::default_weight_loader();
    return (*through)(*late, at::full({2}, value), {});
  };
  EXPECT_OK(rig.engine->record(*rig.model));
  EXPECT_OK(rig.send_all(1));
  EXPECT_OK(send_late(1));
  EXPECT_OK(rig.engine->first_load_done(*rig.model));
  const at::Tensor kernel = layer.tensor("late")->tensor;
  EXPECT_CODE(Code::misuse, send_late(2));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_OK(send_late(2));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(layer.tensor("late")->tensor.is_same(kernel));
  EXPECT_TRUE(kernel.equal(at::full({2}, 2.0)));
}

// 24 bytes of helpers are made beside the old ones, and copied in before the layer's own step is over.
TEST(HardenedCorner, HelpersAreMadeAnewWithinTheLimitOrNotAtAll) {
  const ModelSpec spec = model_of({layer_of("mla_attention",
                                            {{"heads", int64_t{1}},
                                             {"qk_nope_head_dim", int64_t{1}},
                                             {"v_head_dim", int64_t{2}},
                                             {"kv_lora_rank", int64_t{2}},
                                             {"kv_b", std::string("kv_b_proj.weight")}},
                                            "attn"),
                                   linear("attn.kv_b_proj", 2, 3), linear("o")});
  for (const int64_t limit : {23, 24}) {
    Rig rig(spec, "hardened", {.extra_bytes_limit = limit});
    rig.start();
    const Picture before = rig.now();
    const at::Tensor helper = rig.model->find("attn")->extra.tensors.at("W_UV");
    EXPECT_OK(rig.prepare());
    EXPECT_CODE(limit == 24 ? Code::ok : Code::rejected, rig.finish());
    EXPECT_TRUE(rig.model->find("attn")->extra.tensors.at("W_UV").is_same(helper));
    EXPECT_TRUE(same_in_place(before, rig.now()));
  }
}

// Each run of the step makes new ones: the old ones get their content, also where the update brought the source itself.
TEST(HardenedCorner, HelpersStayWhereTheyAreAndFollowTheirSource) {
  const auto mla = [](std::string source) {
    return layer_of("mla_attention",
                    {{"heads", int64_t{1}},
                     {"qk_nope_head_dim", int64_t{1}},
                     {"v_head_dim", int64_t{2}},
                     {"kv_lora_rank", int64_t{2}},
                     {"kv_b", std::move(source)}},
                    "attn");
  };
  for (const ModelSpec& spec : {model_of({mla("")}), model_of({mla("kv_b_proj.weight"), linear("attn.kv_b_proj", 2, 3)})}) {
    Rig rig(spec);
    rig.start();
    const model::ExtraState before = rig.model->find("attn")->extra;
    const at::Tensor old = before.tensors.at("W_UV").clone();
    EXPECT_OK(rig.reload(2));
    for (const auto& [name, helper] : before.tensors) EXPECT_TRUE(rig.model->find("attn")->extra.tensors.at(name).is_same(helper)) << name;
    EXPECT_FALSE(before.tensors.at("W_UV").equal(old));
    EXPECT_TRUE(same_content(rig.now(), cold(spec, 2)));
    EXPECT_OK(rig.reload(1));
    EXPECT_TRUE(before.tensors.at("W_UV").equal(old));
  }
}

TEST(HardenedCorner, ATensorThatTheFirstLoadExchangedIsWaitedForAllTheSame) {
  Rig rig(model_of({linear("a", 4, 6, {{"bias", true}})}));
  bool first = true;
  rig.handle("a.weight")->loader = loader([&](model::Parameter& to, const at::Tensor& from) {
    if (std::exchange(first, false)) {
      to.tensor = from.clone();
    } else {
      to.tensor.copy_(from);
    }
  });
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_OK(rig.finish());
}

}  // namespace
}  // namespace reloadlab::layerwise
