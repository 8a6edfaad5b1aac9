// Point 7 and point 9: a reload fails anywhere, is abandoned and tried again; and what it may keep meanwhile.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/ones.h>

#include <stdexcept>

#include "reference/model/tap/tap.h"
#include "tests/reference/layerwise/rig.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::layerwise {
namespace {

ModelSpec mixed() {
  LayerSpec permuted = linear("p", 4, 5);
  permuted.quant = "tile_permute";
  return model_of({linear("a", 4, 6, {{"bias", true}}), permuted, layer_of("attention", {{"heads", int64_t{4}}, {"sinks", true}}, "attn"),
                   linear("b")});
}

// Throws from the nth copy into storage that the model had when this was made.
class FailingCopies final : public model::OpListener {
 public:
  FailingCopies(const model::Model& model, int nth) : left_(nth) {
    for (const model::LayerPtr& layer : model.layers())
      model::for_each_tensor(*layer,
                             [&](const model::Slot& slot, bool) { kernel_.insert(slot.handle->tensor.storage().unsafeGetStorageImpl()); });
  }
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    if (op.schema().name() != "aten::copy_") return;
    const at::Tensor& destination = stack[stack.size() - 3].toTensor();
    if (!kernel_.contains(destination.storage().unsafeGetStorageImpl())) return;
    ++seen;
    if (left_-- == 0) throw std::runtime_error("injected");
  }
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}
  int seen = 0;

 private:
  std::set<const c10::StorageImpl*> kernel_;
  int left_;
};

// Fails the nth post-load step, at its entry or in its middle.
class FailingSteps final : public model::PostLoadListener {
 public:
  FailingSteps(int nth, bool in_middle) : left_(nth), in_middle_(in_middle) {}
  Status enter(model::Layer&) override { return in_middle_ ? Status() : strike(); }
  Status middle(model::Layer&) override { return in_middle_ ? strike() : Status(); }
  void leave(model::Layer&, const Status&) override {}
  int seen = 0;

 private:
  Status strike() { return ++seen, left_-- == 0 ? Status(Code::failed, "injected") : Status(); }
  int left_;
  bool in_middle_;
};

// Fails the nth call of a layer's own loader after it has written.
class FailingLoaders final : public model::LoaderListener {
 public:
  explicit FailingLoaders(int nth) : left_(nth) {}
  Status leave(const model::Loader&, model::Parameter&, const Status& outcome) override {
    ++seen;
    return left_-- == 0 ? Status(Code::failed, "injected") : outcome;
  }
  int seen = 0;

 private:
  int left_;
};

// Runs `attempt` on fresh rigs with the fault at every place in turn, until it is not reached.
template <class Attempt>
void at_every_place(const std::string& policy, Attempt&& attempt) {
  for (int nth = 0;; ++nth) {
    SCOPED_TRACE("place " + std::to_string(nth));
    Rig rig(mixed(), policy);
    rig.start();
    const Picture before = rig.now();
    const bool reached = attempt(rig, nth);
    if (!reached) {
      EXPECT_GT(nth, 0);
      return;
    }
    EXPECT_OK(rig.abort());
    EXPECT_TRUE(same_in_place(before, rig.now()));
    EXPECT_FALSE(rig.engine->unusable());
    EXPECT_OK(rig.reload(2));
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
    EXPECT_OK(rig.reload(1));
    EXPECT_TRUE(same_in_place(before, rig.now()));
  }
}

TEST(Abort, AfterAnyLoadTheOldWeightsAreBackAndARetryIsAFirstTry) {
  at_every_place("hardened", [](Rig& rig, int nth) {
    EXPECT_OK(rig.prepare());
    for (int i = 0; i < nth; ++i) EXPECT_OK(rig.send(rig.deliveries[static_cast<size_t>(i)].name));
    return nth < static_cast<int>(rig.deliveries.size());
  });
}

TEST(Abort, AFailureInAnyLoaderLeavesTheOldWeights) {
  at_every_place("hardened", [](Rig& rig, int nth) {
    FailingLoaders loaders(nth);
    model::LoaderScope scope(loaders);
    return !rig.reload(2).ok();
  });
}

TEST(Abort, AFailureInAnyPostLoadStepLeavesTheOldWeights) {
  for (bool in_middle : {false, true}) {
    at_every_place("hardened", [&](Rig& rig, int nth) {
      FailingSteps steps(nth, in_middle);
      model::PostLoadScope scope(steps);
      return !rig.reload(2).ok();
    });
  }
}

TEST(Abort, AFailureBetweenAnyTwoCopiesBackLeavesTheOldWeights) {
  at_every_place("hardened", [](Rig& rig, int nth) {
    FailingCopies copies(*rig.model, nth);
    model::TapGuard tap(model::Tap::harness, copies);
    return !rig.reload(2).ok();
  });
}

TEST(Abort, ALoadThatFailedMayBeSentAgainInTheSameUpdate) {
  for (int nth = 0; nth < 6; ++nth) {
    SCOPED_TRACE(nth);
    Rig rig(mixed());
    rig.start();
    int failures = 0;
    {
      FailingCopies copies(*rig.model, nth);
      model::TapGuard tap(model::Tap::harness, copies);
      EXPECT_OK(rig.prepare());
      for (const Delivery& delivery : rig.deliveries) {
        if (rig.send(delivery.name).ok()) continue;
        ++failures;
        EXPECT_OK(rig.send(delivery.name));
      }
      const bool finished = rig.finish().ok();
      EXPECT_EQ(1, failures + (finished ? 0 : 1));  // the copies of the deferred layer are made by finish
      if (!finished) continue;
    }
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
  }
}

TEST(Abort, ALoaderThatThrowsLeavesNoEntry) {
  Rig rig(mixed());
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::failed, rig.send("a.weight", at::ones({3, 3})));
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.finish());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Abort, StreamingIsUnusableOnceALayerWasCommittedAndUntilItHasComeWhole) {
  Rig rig(mixed(), "hardened,abort=unusable");
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.abort());
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight"));
  EXPECT_OK(rig.send("a.bias"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_CODE(Code::rejected, rig.reload(2, {"a.bias"}));  // a has no old values to keep
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("b.weight"));
  EXPECT_OK(rig.finish());  // goes through, and a is as it was
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_OK(rig.reload(2));
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Abort, StreamingIsUsableAgainWhenTheLayersThatWereCommittedHaveComeWhole) {
  Rig rig(mixed(), "hardened,abort=unusable");
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("b.weight"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("b.weight", 1));
  EXPECT_OK(rig.finish());
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 1)));
}

TEST(Abort, StreamingThatFailsBetweenTwoCopiesBackCanOnlyBeAbandoned) {
  Rig rig(mixed(), "hardened,abort=unusable");
  rig.start();
  {
    FailingCopies copies(*rig.model, 1);
    model::TapGuard tap(model::Tap::harness, copies);
    EXPECT_OK(rig.prepare());
    EXPECT_OK(rig.send("a.weight"));
    EXPECT_CODE(Code::failed, rig.send("a.bias"));
  }
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_CODE(Code::rejected, rig.send("b.weight"));
  EXPECT_OK(rig.abort());
  EXPECT_TRUE(rig.engine->unusable());
  EXPECT_OK(rig.reload(2));
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Abort, TheSeedHasNone) {
  Rig rig(mixed(), "seed");
  EXPECT_CODE(Code::unsupported, rig.abort());
}

// Point 9: one layer [8, 16] f32 is 512 bytes, its quantized form 512 + 32.
TEST(Memory, ThePeakIsTheFormula) {
  struct Case {
    const char* policy;
    int64_t kernel_of_a, kernel_of_b;  // what stays until finish
  };
  for (const Case& each : {Case{"hardened,landing=materialized", 512, 544}, Case{"hardened,landing=materialized,abort=unusable", 0, 0}}) {
    SCOPED_TRACE(each.policy);
    LayerSpec permuted = linear("b", 16, 8);
    permuted.quant = "tile_permute";
    Rig rig(model_of({linear("a", 16, 8), permuted}), each.policy);
    rig.start();
    std::vector<at::Tensor> sources{weight(rig.deliveries[0], 2), weight(rig.deliveries[1], 2)};
    model::MemoryProbe probe;
    EXPECT_OK(rig.prepare());
    EXPECT_EQ(0, probe.peak());
    EXPECT_OK(rig.send("a.weight", sources[0]));
    EXPECT_EQ(each.kernel_of_a + 512, probe.peak());
    EXPECT_EQ(each.kernel_of_a, probe.live());
    EXPECT_OK(rig.send("b.weight", sources[1]));
    EXPECT_EQ(each.kernel_of_a + each.kernel_of_b + 512 + 544, probe.peak());
    EXPECT_EQ(each.kernel_of_a + each.kernel_of_b, probe.live());
    EXPECT_OK(rig.finish());
    EXPECT_EQ(0, probe.live());
  }
}

TEST(Memory, CopiesOfReusedBuffersLiveUntilTheirGroupIsProcessed) {
  Rig rig(model_of({linear("a", 16, 8, {{"bias", true}})}), "hardened", {.transport_reuses_buffers = true});
  rig.start();
  std::vector<at::Tensor> sources{weight(rig.deliveries[0], 2), weight(rig.deliveries[1], 2)};
  model::MemoryProbe probe;
  EXPECT_OK(rig.prepare());
  EXPECT_OK(rig.send("a.weight", sources[0]));
  EXPECT_EQ(512, probe.live());
  EXPECT_OK(rig.send("a.bias", sources[1]));
  EXPECT_EQ(3 * (512 + 32), probe.peak());  // copies, kernel backup, materialized
  EXPECT_EQ(512 + 32, probe.live());
  EXPECT_OK(rig.finish());
  EXPECT_EQ(0, probe.live());
}

TEST(Memory, ALoadThatWouldPassTheLimitIsRefusedAndChangesNothing) {
  // a: 512 buffered + 512 kernel + 512 materialized; then b: 512 kept for a, and the same again.
  for (int64_t limit : {511, 1535, 2047, 2048}) {
    Rig rig(model_of({linear("a", 16, 8), linear("b", 16, 8)}), "hardened", {.extra_bytes_limit = limit});
    rig.start();
    const Picture before = rig.now();
    EXPECT_OK(rig.prepare());
    EXPECT_CODE(limit < 1536 ? Code::rejected : Code::ok, rig.send("a.weight"));
    if (limit >= 1536) {
      EXPECT_CODE(limit < 2048 ? Code::rejected : Code::ok, rig.send("b.weight"));
    }
    if (limit == 2048) {
      EXPECT_OK(rig.finish());
      EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
    } else {
      EXPECT_OK(rig.abort());
      EXPECT_TRUE(same_in_place(before, rig.now()));
    }
  }
}

}  // namespace
}  // namespace reloadlab::layerwise
