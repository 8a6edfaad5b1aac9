// boxes=declared: loaders that say what they copy, and are then not called.
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

constexpr const char* declared = "hardened,landing=direct,boxes=declared";

struct Calls {
  int called = 0, asked = 0;
};

model::LoaderPtr saying(Calls& calls, model::Loader::Boxes boxes) {
  const auto copies = [&calls](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs&) {
    ++calls.called;
    if (to.tensor.sizes() != from.sizes()) return Status(Code::failed, "another shape");
    to.tensor.copy_(from);
    return Status();
  };
  const auto says = [&calls, boxes](model::Layer* self, const at::Tensor& to, const at::Tensor& from, const model::LoadArgs& args) {
    ++calls.asked;
    return boxes(self, to, from, args);
  };
  return model::free_loader("weight_loader", copies, says);
}

Result<model::LoadBoxes> all_of_it(model::Layer*, const at::Tensor& to, const at::Tensor& from, const model::LoadArgs&) {
  if (to.sizes() != from.sizes()) return Status(Code::failed, "another shape");
  return model::LoadBoxes{{to, from}};
}

struct Said {
  explicit Said(model::Loader::Boxes boxes, const char* policy = declared) : rig(model_of({linear("a")}), policy) {
    rig.handle("a.weight")->loader = saying(calls, std::move(boxes));
    rig.start();
    calls = {};
  }
  Calls calls;
  Rig rig;
};

TEST(Declared, ALoaderIsAskedOnceAndNotCalled) {
  Said said(all_of_it);
  for (int number : {2, 3, 4}) {
    EXPECT_OK(said.rig.reload(number));
    EXPECT_TRUE(same_content(said.rig.now(), cold(said.rig.spec, number)));
  }
  EXPECT_EQ(0, said.calls.called);
  EXPECT_EQ(1, said.calls.asked);
}

TEST(Declared, ItIsCalledWhereNobodyTakesItsWord) {
  Said said(all_of_it, "hardened,landing=direct");
  EXPECT_OK(said.rig.reload(2));
  EXPECT_GT(said.calls.called, 0);
  EXPECT_EQ(0, said.calls.asked);
}

TEST(Declared, AnotherShapeIsAskedForAndRefusedByTheLoader) {
  Said said(all_of_it);
  EXPECT_OK(said.rig.reload(2));
  EXPECT_OK(said.rig.prepare());
  EXPECT_CODE(Code::failed, said.rig.send("a.weight", at::zeros({3})));
  EXPECT_EQ(1, said.calls.called);
  EXPECT_OK(said.rig.send_all(3));
  EXPECT_OK(said.rig.finish());
  EXPECT_TRUE(same_content(said.rig.now(), cold(said.rig.spec, 3)));
}

// Of another tensor, from another one, unequal in shape, and twice the same place.
TEST(Declared, WhatIsNoBoxOfTheLoadIsLeftToTheLoader) {
  const model::Loader::Boxes wrong[] = {
      [](auto*, const at::Tensor& to, const at::Tensor& from, auto&) {
        return model::LoadBoxes{{at::zeros_like(to), from}};
      },
      [](auto*, const at::Tensor& to, const at::Tensor& from, auto&) {
        return model::LoadBoxes{{to, from.clone()}};
      },
      [](auto*, const at::Tensor& to, const at::Tensor& from, auto&) {
        return model::LoadBoxes{{to, from.flatten()}};
      },
      [](auto*, const at::Tensor& to, const at::Tensor& from, auto&) {
        return model::LoadBoxes{{to, from}, {to.narrow(0, 0, 1), from.narrow(0, 1, 1)}};
      },
  };
  for (const model::Loader::Boxes& boxes : wrong) {
    Said said(boxes);
    EXPECT_OK(said.rig.reload(2));
    EXPECT_GT(said.calls.called, 0);
    EXPECT_TRUE(same_content(said.rig.now(), cold(said.rig.spec, 2)));
  }
}

TEST(Declared, ColumnsLieApartInTheLoadedTensor) {
  Said said([](auto*, const at::Tensor& to, const at::Tensor& from, auto&) {
    return model::LoadBoxes{{to.narrow(1, 0, 1), from.narrow(1, 0, 1)},
                            {to.narrow(1, 1, to.size(1) - 1), from.narrow(1, 1, to.size(1) - 1)}};
  });
  EXPECT_OK(said.rig.reload(2));
  EXPECT_EQ(0, said.calls.called);
  EXPECT_TRUE(same_content(said.rig.now(), cold(said.rig.spec, 2)));
}

TEST(Declared, NothingOfALoadIsTakenWhereItSaysNoBox) {
  Said said([](auto*, const at::Tensor&, const at::Tensor&, auto&) { return model::LoadBoxes(); });
  const Picture before = said.rig.now();
  EXPECT_OK(said.rig.reload(2));
  EXPECT_EQ(0, said.calls.called);
  EXPECT_TRUE(same_in_place(before, said.rig.now()));
}

// Shards, rows and experts of ranks.
TEST(Declared, WhatShippedLoadersSayIsWhatTheyDo) {
  for (const int rank : {0, 1}) {
    const ModelSpec spec =
        model_of({layer_of("qkv_parallel_linear", {{"hidden", int64_t{8}}, {"heads", int64_t{4}}, {"kv_heads", int64_t{2}}}, "qkv"),
                  layer_of("merged_column_parallel_linear", {{"in", int64_t{4}}, {"outs", std::vector<int64_t>{4, 6}}}, "up"),
                  layer_of("row_parallel_linear", {{"in", int64_t{6}}, {"out", int64_t{4}}, {"bias", true}}, "down"),
                  layer_of("norm", {{"hidden", int64_t{4}}}, "norm"),
                  layer_of("fused_experts", {{"hidden", int64_t{4}}, {"intermediate", int64_t{8}}, {"experts", int64_t{4}}}, "experts")});
    for (const char* policy : {declared, "hardened,landing=direct,boxes=declared,gather=everywhere,abort=unusable"}) {
      Rig rig(spec, policy, {}, {rank, 2});
      rig.start();
      for (int number : {2, 3}) {
        EXPECT_OK(rig.reload(number));
        EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, number, {rank, 2})));
      }
    }
  }
}

}  // namespace
}  // namespace reloadlab::layerwise
