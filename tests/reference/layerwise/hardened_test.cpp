// What the hardened profile promises, points 1 and 2.
#include <ATen/ops/empty_like.h>

#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

TEST(Hardened, ReloadEqualsColdLoadAndNothingMoves) {
  Rig rig(two_linears());
  rig.start();
  const Picture before = rig.now();
  EXPECT_TRUE(same_content(before, cold(rig.spec, 1)));
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(Hardened, EveryKindReloads) {
  for (const model::LayerKind* kind : model::layer_kinds()) {
    LayerSpec layer{.name = "x", .kind = std::string(kind->id()), .dtype = DType::f32};
    for (const model::KeyInfo& key : kind->keys())
      if (key.required)
        layer.values.emplace(key.name, key.type == model::KeyInfo::Type::integers ? Value(std::vector<int64_t>{4}) : Value(int64_t{4}));
    if (kind->id() == "buffers") layer.values = {{"shape", std::vector<int64_t>{4, 2}}, {"buffer", std::vector<int64_t>{3}}};
    if (kind->id() == "packed_column_parallel_linear") layer.values = {{"in", int64_t{32}}, {"outs", std::vector<int64_t>{8, 16}}};
    if (kind->id() == "packed_row_parallel_linear") layer.values = {{"in", int64_t{32}}, {"out", int64_t{8}}};
    if (kind->id().starts_with("scaled_")) layer.dtype = DType::i8;
    model::fill_defaults(layer);
    ModelSpec spec = model_of({layer});
    SCOPED_TRACE(layer.kind);
    if (!model::check_model(spec, 1).ok()) continue;
    Rig rig(spec);
    rig.start();
    const Picture before = rig.now();
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(same_content(rig.now(), cold(spec, 2)));
    EXPECT_OK(rig.reload(1));
    EXPECT_TRUE(same_in_place(before, rig.now()));
  }
}

// Point 1.

TEST(Hardened, TheSameShardTwiceNeverCompletesALayer) {
  Rig rig(model_of({layer_of("qkv_parallel_linear",
                             {{"hidden", int64_t{4}}, {"heads", int64_t{2}}, {"kv_heads", int64_t{2}}, {"head_dim", int64_t{2}}}, "qkv")}));
  rig.start();
  EXPECT_OK(rig.prepare());
  const std::vector<Delivery>& sent = rig.deliveries;
  ASSERT_GE(sent.size(), 3u);
  EXPECT_OK(rig.send(sent[0].name));
  EXPECT_OK(rig.send(sent[0].name));
  EXPECT_OK(rig.send(sent[1].name));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_EQ(1, rig.heard.count("excess qkv.weight"));
  EXPECT_OK(rig.send(sent[2].name));
  EXPECT_EQ(1, rig.heard.count("completed qkv"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Hardened, AComposedLoaderCountsItsElementsOnce) {
  Rig rig(model_of({layer_of("composed", {{"size", int64_t{6}}}, "mixer")}));
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  EXPECT_EQ(1, rig.heard.count("counted mixer.A 6"));
  EXPECT_OK(rig.send(rig.deliveries[1].name));
  EXPECT_EQ(0, rig.heard.count("completed"));
  EXPECT_OK(rig.send(rig.deliveries[2].name));
  EXPECT_EQ(1, rig.heard.count("completed"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

LayerSpec by_route(const std::string& via, int64_t columns = 6) {
  return layer_of("custom_loader", {{"rows", int64_t{4}}, {"columns", columns}, {"via", via}, {"bias", true}}, "x");
}

TEST(Hardened, LoadersOfEveryAccountableRouteComplete) {
  for (const char* via :
       {"copy", "rows", "steps", "transpose", "flat", "bytes", "twice", "temporary", "broadcast", "foreach", "index_put"}) {
    for (int64_t columns : {6, 5}) {
      SCOPED_TRACE(via);
      Rig rig(model_of({by_route(via, columns)}));
      rig.start();
      EXPECT_OK(rig.prepare());
      EXPECT_OK(rig.send_all(2));
      EXPECT_EQ(1, rig.heard.count("completed x"));
      EXPECT_EQ(0, rig.heard.count("excess"));
      EXPECT_OK(rig.finish());
      EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
    }
  }
}

TEST(Hardened, WritesThatCannotBeAccountedForAreRejectedAndChangeNothing) {
  for (const char* via : {"index_copy", "mask", "set"}) {
    SCOPED_TRACE(via);
    Rig rig(model_of({by_route(via)}));
    rig.start();
    const Picture before = rig.now();
    EXPECT_OK(rig.prepare());
    EXPECT_CODE(Code::rejected, rig.send("x.weight"));
    EXPECT_TRUE(rig.on_meta("x.weight"));
    EXPECT_OK(rig.abort());
    EXPECT_TRUE(same_in_place(before, rig.now()));
  }
}

using HardenedBody = std::function<void(const at::Tensor& to, const at::Tensor& from)>;

// A linear layer whose weight is loaded by `body` from the first reload on.
std::unique_ptr<Rig> with_loader(const HardenedBody& body) {
  auto rig = std::make_unique<Rig>(two_linears());
  auto calls = std::make_shared<int>(0);
  rig->handle("a.weight")->loader = model::free_loader(
      "weight_loader", [=](model::Layer*, model::Parameter& destination, const at::Tensor& from, const model::LoadArgs&) {
        (*calls)++ == 0 ? void(destination.tensor.copy_(from)) : body(destination.tensor, from);
        return Status();
      });
  rig->start();
  EXPECT_OK(rig->prepare());
  return rig;
}

TEST(Hardened, WritesThatMetaAcceptsInSilenceAreRejected) {
  const std::pair<const char*, HardenedBody> bodies[] = {
      {"expanded",
       [](const at::Tensor& to, const at::Tensor& from) {
         to.narrow(0, 0, 1).expand({6, 4}).copy_(from);
       }},
      {"self-overlapping",
       [](const at::Tensor& to, const at::Tensor& from) {
         to.as_strided({6, 4}, {1, 1}).copy_(from);
       }},
      {"out of range",
       [](const at::Tensor& to, const at::Tensor& from) {
         to.as_strided({6, 4}, {4, 1}, 4).copy_(from);
       }},
      {"another storage", [](const at::Tensor& to, const at::Tensor&) { to.set_data(at::empty_like(to)); }},
      {"unaccountable", [](const at::Tensor& to, const at::Tensor&) { to.cumsum_(0); }},
      {"transformed only", [](const at::Tensor& to, const at::Tensor&) { to.neg_(); }}};
  for (const auto& [what, body] : bodies) {
    SCOPED_TRACE(what);
    std::unique_ptr<Rig> rig = with_loader(body);
    EXPECT_CODE(Code::rejected, rig->send("a.weight"));
    EXPECT_TRUE(rig->on_meta("a.weight"));
    EXPECT_OK(rig->abort());
    EXPECT_TRUE(same_content(rig->now(), cold(rig->spec, 1)));
  }
}

TEST(Hardened, ATransformInPlaceAfterTheCopyCountsOnce) {
  std::unique_ptr<Rig> rig = with_loader([](const at::Tensor& to, const at::Tensor& from) {
    to.copy_(from);
    to.neg_();
    to.narrow(0, 1, 2).mul_(2);
  });
  EXPECT_OK(rig->send("a.weight"));
  EXPECT_EQ(1, rig->heard.count("counted a.weight 24"));
}

TEST(Hardened, ALoaderThatWritesALayerProcessedApartIsRejected) {
  model::ParameterPtr other;
  std::unique_ptr<Rig> rig = with_loader([&](const at::Tensor& to, const at::Tensor& from) {
    to.copy_(from);
    other->tensor.zero_();
  });
  other = rig->handle("b.weight");
  EXPECT_CODE(Code::rejected, rig->send("a.weight"));
}

// Point 2.

TEST(Hardened, PaddingKeepsItsDeclaredValueAndDelaysNothing) {
  Rig rig(model_of({linear("a", 3, 5, {{"pad_rows_to", int64_t{4}}, {"pad_cols_to", int64_t{4}}, {"pad_value", 0.5}})}));
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(1, rig.heard.count("completed a"));
  EXPECT_OK(rig.finish());
  EXPECT_EQ(0, rig.heard.count("missing"));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Hardened, WhatWasNotSentKeepsItsOldValue) {
  Rig rig(two_linears());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.reload(2, {"a.bias"}));
  EXPECT_EQ(1, rig.heard.count("missing a.bias 6"));
  const Picture fresh = cold(rig.spec, 2), after = rig.now();
  for (size_t i = 0; i < after.entries.size(); ++i) {
    const Picture& expected = after.entries[i].path == "a.bias" ? before : fresh;
    EXPECT_EQ(expected.entries[i].bytes, after.entries[i].bytes) << after.entries[i].path;
  }
}

TEST(Hardened, AConstantBufferIsNeverWaitedFor) {
  Rig rig(model_of({layer_of(
      "buffers", {{"shape", std::vector<int64_t>{4, 2}}, {"constant", std::vector<int64_t>{3}}, {"expanded", std::vector<int64_t>{2, 4}}},
      "x")}));
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send_all(2));
  EXPECT_EQ(1, rig.heard.count("completed x"));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(Hardened, AnIncompletePermutedLayerKeepsTheOldRowsInCheckpointOrder) {
  LayerSpec layer = layer_of("merged_column_parallel_linear", {{"in", int64_t{4}}, {"outs", std::vector<int64_t>{4, 3}}}, "x");
  layer.quant = "tile_permute";
  Rig rig(model_of({layer}));
  rig.start();
  const Picture before = rig.now();
  ASSERT_GE(rig.deliveries.size(), 2u);
  EXPECT_OK(rig.reload(2, {rig.deliveries[0].name}));
  // The rest from checkpoint 2 and then the first one as well comes to checkpoint 2.
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send(rig.deliveries[0].name));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

// A post-load step of which nothing is known: what did not come cannot be kept.
class Doubling final : public model::QuantMethod {
 public:
  std::string_view id() const override { return "doubling"; }

 protected:
  Status process(model::Layer& layer) override {
    layer.tensor("weight")->tensor.mul_(2);
    return {};
  }
};

TEST(Hardened, AnIncompleteLayerOfAnUnknownStepIsRejectedWholeAndTheUpdateAbandoned) {
  Rig rig(two_linears());
  rig.model->find("a")->quant_method = std::make_shared<Doubling>();
  rig.start();
  const Picture before = rig.now();
  EXPECT_CODE(Code::rejected, rig.reload(2, {"a.bias"}));
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_OK(rig.reload(2));
  EXPECT_OK(rig.reload(1));
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

}  // namespace
}  // namespace reloadlab::layerwise
