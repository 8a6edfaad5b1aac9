// landing=whole and direct: loads that go from where they lie straight into kernel tensors, and those that cannot.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/zeros.h>

#include <stdexcept>

#include "reference/model/tap/tap.h"
#include "tests/reference/layerwise/rig.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::layerwise {
namespace {

constexpr const char* direct = "hardened,landing=direct";
constexpr const char* streaming = "hardened,landing=direct,abort=unusable";

ModelSpec with_bias() { return model_of({linear("a", 4, 6, {{"bias", true}}), linear("b")}); }

// Copies what came with its sign changed, in the destination: nothing that a copy could do.
model::LoaderPtr negating() {
  return model::free_loader("weight_loader", [](model::Layer*, model::Parameter& to, const at::Tensor& from, const model::LoadArgs&) {
    to.tensor.copy_(from);
    to.tensor.neg_();
    return Status();
  });
}

// Throws from every copy into a tensor's storage while it is on.
class LandingFailingCopy final : public model::OpListener {
 public:
  explicit LandingFailingCopy(const at::Tensor& kernel) : kernel_(kernel.storage().unsafeGetStorageImpl()) {}
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    if (op.schema().name() != "aten::copy_") return;
    if (stack[stack.size() - 3].toTensor().storage().unsafeGetStorageImpl() == kernel_) throw std::runtime_error("injected");
  }
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}

 private:
  const c10::StorageImpl* kernel_;
};

at::Tensor kernel_of(const Rig& rig, const std::string& path) { return rig.handle(path)->tensor; }

TEST(Landing, MaterializedWholeAndDirectEndAlike) {
  for (const char* landing : {"materialized", "whole", "whole,gather=everywhere", "direct", "direct,gather=everywhere",
                              "direct,boxes=declared", "direct,gather=everywhere,boxes=declared"}) {
    for (const char* abort : {"backup", "unusable"}) {
      SCOPED_TRACE(std::string(landing) + " " + abort);
      Rig rig(with_bias(), std::string("hardened,landing=") + landing + ",abort=" + abort);
      rig.start();
      EXPECT_OK(rig.reload(2));
      EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
    }
  }
}

TEST(Landing, WholeWritesWhenTheLayerIsCompleteAndDirectAtOnce) {
  for (const bool at_once : {false, true}) {
    Rig rig(with_bias(), at_once ? direct : "hardened");
    rig.start();
    const at::Tensor kernel = kernel_of(rig, "a.weight");
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    EXPECT_EQ(at_once, kernel.equal(weight(rig.deliveries[0], 2)));
    EXPECT_TRUE(rig.on_meta("a.weight"));
    EXPECT_OK(rig.send("a.bias"));
    EXPECT_TRUE(kernel.equal(weight(rig.deliveries[0], 2)));
    EXPECT_FALSE(rig.on_meta("a.weight"));
    EXPECT_OK(rig.finish());
  }
}

TEST(Landing, TakesNoMemoryWithoutABackup) {
  for (const char* policy : {streaming, "hardened,abort=unusable"}) {
    SCOPED_TRACE(policy);
    Rig rig(model_of({linear("a", 16, 8)}), policy);
    rig.start();
    const at::Tensor source = weight(rig.deliveries[0], 2);
    model::MemoryProbe probe;
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight", source));
    EXPECT_OK(rig.finish());
    EXPECT_EQ(0, probe.peak());
  }
}

TEST(Landing, AbortBringsBackWhatHasLandedOrSaysThatItCannot) {
  Rig kept(with_bias(), direct);
  kept.start();
  const Picture before = kept.now();
  EXPECT_OK(kept.prepare());
  EXPECT_OK(kept.send("a.weight"));
  EXPECT_OK(kept.abort());
  EXPECT_TRUE(same_in_place(before, kept.now()));

  Rig lost(with_bias(), streaming);
  lost.start();
  EXPECT_OK(lost.prepare());
  EXPECT_OK(lost.send("a.weight"));
  EXPECT_OK(lost.abort());
  EXPECT_TRUE(lost.engine->unusable());
  EXPECT_CODE(Code::rejected, lost.reload(3, {"a.bias"}));
  EXPECT_OK(lost.reload(3));
  EXPECT_FALSE(lost.engine->unusable());
  EXPECT_TRUE(same_content(lost.now(), cold(lost.spec, 3)));
}

TEST(Landing, WhatDoesNotComeStaysAsItWas) {
  Rig rig(with_bias(), direct);
  rig.start();
  EXPECT_OK(rig.reload(2, {"a.bias"}));
  EXPECT_TRUE(kernel_of(rig, "a.weight").equal(weight(rig.deliveries[0], 2)));
  EXPECT_TRUE(kernel_of(rig, "a.bias").equal(weight(rig.deliveries[1], 1)));
  EXPECT_EQ(1, rig.heard.count("missing a.bias"));
}

TEST(Landing, TheLastOfTwoLoadsOfAnElementWinsAndARefusedOneWritesNothing) {
  for (const char* policy : {"hardened,excess=reject", "hardened,excess=reject,landing=direct"}) {
    SCOPED_TRACE(policy);
    Rig rig(with_bias(), policy);
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight", 2));
    EXPECT_CODE(Code::rejected, rig.send("a.weight", 3));
    EXPECT_OK(rig.send_all(2, {"a.weight"}));
    EXPECT_OK(rig.finish());
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
  for (const char* policy : {"hardened", direct}) {
    SCOPED_TRACE(policy);
    Rig rig(with_bias(), policy);
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight", 3));
    EXPECT_OK(rig.send_all(2));
    EXPECT_OK(rig.finish());
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
}

TEST(Landing, ALoaderThatDoesMoreThanCopyIsReplayedOverWhatHasLanded) {
  for (const char* policy : {"hardened", direct, streaming}) {
    SCOPED_TRACE(policy);
    Rig rig(with_bias(), policy);
    rig.handle("a.bias")->loader = negating();
    rig.start();
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(kernel_of(rig, "a.weight").equal(weight(rig.deliveries[0], 2)));
    EXPECT_TRUE(kernel_of(rig, "a.bias").equal(weight(rig.deliveries[1], 2).neg()));
  }
}

TEST(Landing, AReplayThatFailsOverWhatHasLandedEndsTheUpdate) {
  Rig rig(with_bias(), direct);
  rig.handle("a.bias")->loader = negating();
  rig.start();
  const Picture before = rig.now();
  LandingFailingCopy fault(kernel_of(rig, "a.bias"));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  {
    model::TapGuard tap(model::Tap::harness, fault);
    EXPECT_CODE(Code::failed, rig.send("a.bias"));
  }
  EXPECT_CODE(Code::rejected, rig.send("b.weight"));
  EXPECT_CODE(Code::rejected, rig.finish());
  EXPECT_TRUE(same_in_place(before, rig.now()));
}

TEST(Landing, ACopyThatFailsEndsTheUpdate) {
  for (const char* policy : {direct, streaming}) {
    SCOPED_TRACE(policy);
    Rig rig(with_bias(), policy);
    rig.start();
    const Picture before = rig.now();
    LandingFailingCopy fault(kernel_of(rig, "a.bias"));
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    {
      model::TapGuard tap(model::Tap::harness, fault);
      EXPECT_CODE(Code::failed, rig.send("a.bias"));
    }
    EXPECT_CODE(Code::rejected, rig.send("b.weight"));
    EXPECT_CODE(Code::rejected, rig.finish());
    EXPECT_EQ(policy == streaming, rig.engine->unusable());
    if (policy == direct) {
      EXPECT_TRUE(same_in_place(before, rig.now()));
    }
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
}

TEST(Landing, AnUpdateFromTheModelsOwnTensorsGoesThroughMaterializedOnes) {
  for (const char* policy : {"hardened,abort=unusable", streaming}) {
    SCOPED_TRACE(policy);
    Rig rig(model_of({linear("a", 4, 4)}), policy);
    rig.start();
    const at::Tensor old = kernel_of(rig, "a.weight").clone();
    const at::Tensor transposed = kernel_of(rig, "a.weight").t();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight", transposed));
    EXPECT_OK(rig.finish());
    EXPECT_TRUE(kernel_of(rig, "a.weight").equal(old.t()));
  }
}

TEST(Landing, OtherElementTypesAreConverted) {
  for (const char* policy : {"hardened", direct, "hardened,landing=direct,gather=everywhere,boxes=declared"}) {
    Rig rig(model_of({linear("a")}), policy);
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight", weight(rig.deliveries[0], 2).to(at::kDouble)));
    EXPECT_OK(rig.finish());
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
}

TEST(Landing, ATensorThatALoaderRegistersIsNotLost) {
  Rig rig(with_bias(), direct);
  rig.start();
  model::Layer& layer = *rig.model->find("a");
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  layer.parameters.set("extra", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::zeros({2})}));
  EXPECT_CODE(Code::rejected, rig.send("a.bias"));  // processing would lose it, as of any layer
}

TEST(Landing, IsHeldToTheLimit) {
  // 512 in flight, 512 of the kernel tensor's copy
  for (const int64_t limit : {1023, 1024}) {
    Rig rig(model_of({linear("a", 16, 8)}), direct, {.extra_bytes_limit = limit});
    rig.start();
    EXPECT_OK(rig.prepare());
    EXPECT_CODE(limit < 1024 ? Code::rejected : Code::ok, rig.send("a.weight"));
  }
}

}  // namespace
}  // namespace reloadlab::layerwise
