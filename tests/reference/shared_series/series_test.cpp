// A series where there are no streams and no other ranks to speak of: on the CPU, with a communicator that does nothing.
#include "reference/shared_series/series.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "reference/model/post_load.h"

namespace reloadlab::shared_series {
namespace {

struct Complete final : c10d::Work {
  explicit Complete(bool refuses) : never(refuses) {}
  bool wait(std::chrono::milliseconds) override {
    TORCH_CHECK(!never, "its capture has ended");
    return true;
  }
  bool never;
};

// Takes what real communicators take, and moves nothing.
struct Silent final : c10d::Backend {
  using Backend::Backend;
  int64_t until_failure = -1;
  bool is_never_there = false;  // what is broadcast from now on
  std::vector<int64_t> roots;
  const std::string getBackendName() const override { return "silent"; }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions& options) override {
    TORCH_CHECK(tensors[0].is_contiguous(), "Tensors must be contiguous");
    TORCH_CHECK(!c10::isFloat8Type(tensors[0].scalar_type()), "Invalid scalar type");
    TORCH_CHECK(until_failure-- != 0, "injected");
    roots.push_back(options.rootRank);
    return c10::make_intrusive<Complete>(is_never_there);
  }
};

// A post-load step in a line.
struct StepOf final : model::QuantMethod {
  explicit StepOf(at::Tensor (*what)(const at::Tensor&)) : step(what) {}
  std::string_view id() const override { return "test"; }
  Status process(model::Layer& layer) override {
    at::Tensor& weight = layer.tensor("weight")->tensor;
    weight = step(weight);
    return {};
  }
  at::Tensor (*step)(const at::Tensor&);
};

struct Rank {
  std::vector<model::LayerPtr> layers;
  std::unique_ptr<SharedSeries> series;
  c10::intrusive_ptr<Silent> backend;
  Status status;

  Rank(const SeriesPolicy& policy, int rank, int ranks, at::Tensor (*step)(const at::Tensor&) = nullptr,
       const std::vector<int64_t>& indices = {0, 1, 2, 3}) {
    backend = c10::make_intrusive<Silent>(rank, ranks);
    auto group = c10::make_intrusive<c10d::ProcessGroup>(c10::make_intrusive<c10d::HashStore>(), rank, ranks);
    group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::CUSTOM, backend);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
    series = make_series(policy, {.name = "o", .group = group, .device = c10::kCPU, .prefetch = 1, .store = {}});
    for (const int64_t index : indices) {
      layers.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear"));
      layers.back()->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::empty({2, 2})}));
      if (step) layers.back()->quant_method = std::make_shared<StepOf>(step);
      keep(series->register_layer(layers.back(), {index}));
    }
    keep(series->finish_loading());
  }
  void keep(const Status& outcome) {
    if (status.ok()) status = outcome;
  }
  void pass() {
    for (int64_t index = 0; index < 4; ++index) {
      keep(series->reach({index}));
      keep(model::around_forward(*layers[static_cast<size_t>(index)], [] { return Status(); }));
    }
  }
};

TEST(SeriesOnTheCpu, NeedsNoEvents) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()}) {
    Rank rank(policy, 0, 2);
    for (int pass = 0; pass < 3; ++pass) rank.pass();
    EXPECT_TRUE(rank.status.ok()) << rank.status.message();
  }
}

TEST(SeriesOnTheCpu, RecoversLikeElsewhere) {
  Rank rank(SeriesPolicy::hardened(), 1, 2);
  rank.pass();
  rank.keep(rank.series->drain());
  rank.keep(rank.series->reset());
  rank.keep(rank.series->begin_reload(Arrival::in_place));
  rank.keep(rank.series->reload());
  rank.pass();
  EXPECT_TRUE(rank.status.ok()) << rank.status.message();
}

// H31: communicators take contiguous tensors, and not every one 8-bit floats.
TEST(SeriesOnTheCpu, SendsWhatCommunicatorsTake) {
  auto outcome = [](const SeriesPolicy& policy, at::Tensor (*step)(const at::Tensor&)) {
    Rank rank(policy, 0, 2, step);
    rank.pass();
    return rank.status.message();
  };
  auto transposed = [](const at::Tensor& weight) { return weight.t(); };
  auto fp8 = [](const at::Tensor& weight) { return weight.to(at::kFloat8_e4m3fn); };
  auto both = [](const at::Tensor& weight) { return weight.to(at::kFloat8_e4m3fn).t(); };
  for (at::Tensor (*step)(const at::Tensor&) : {+transposed, +fp8, +both}) EXPECT_EQ(outcome(SeriesPolicy::hardened(), step), "");
  EXPECT_EQ(outcome(SeriesPolicy::seed(), transposed), "Tensors must be contiguous");
  EXPECT_EQ(outcome(SeriesPolicy::seed(), fp8), "Invalid scalar type");
}

TEST(SeriesOnTheCpu, ABroadcastThatCouldNotBeIssuedStopsThePass) {
  Rank rank(SeriesPolicy::hardened(), 0, 2);
  rank.pass();
  rank.backend->until_failure = 1;
  rank.pass();
  EXPECT_EQ(rank.status.message(), "injected");
  EXPECT_EQ(rank.series->reach({2}).message(), "a broadcast of layer 2 failed: reset() begins anew");
  rank.status = rank.series->reset();
  rank.pass();
  EXPECT_TRUE(rank.status.ok()) << rank.status.message();
}

TEST(SeriesOnTheCpu, WeightsElsewhereAreOneElement) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()}) {
    Rank rank(policy, 0, 2);
    std::vector<int64_t> elements;
    for (const model::LayerPtr& layer : rank.layers) elements.push_back(layer->tensor("weight")->tensor.numel());
    // The first window holds layer 0, which is this rank's own.
    EXPECT_EQ(elements, (std::vector<int64_t>{4, 1, 4, 1}));
  }
}

// Nobody then runs a step in the place of none.
TEST(SeriesOnTheCpu, TakesNoStepWhereThereIsNone) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()})
    EXPECT_EQ(nullptr, Rank(policy, 0, 2).layers[0]->quant_method);
}

// The first layer after the gap is where building stops, and every layer before it has its window.
TEST(SeedSeries, TakesLayersForConsecutiveWhereItWasBuiltInPart) {
  Rank rank(SeriesPolicy::seed(), 0, 2, nullptr, {0, 1, 2, 4});
  EXPECT_EQ(Code::misuse, rank.status.code());
  rank.backend->roots.clear();
  EXPECT_TRUE(rank.series->reach({2}).ok());
  EXPECT_EQ(std::vector<int64_t>{1}, rank.backend->roots) << "layer 4 is rank 0's, and layer 3 would be rank 1's";
}

TEST(SeedSeries, WhoCouldNotWaitForAWeightIsRefusedTheNextTimeToo) {
  Rank rank(SeriesPolicy::seed(), 0, 2);
  rank.pass();
  EXPECT_TRUE(rank.status.ok()) << rank.status.message();
  rank.backend->is_never_there = true;
  EXPECT_TRUE(rank.series->reach({0}).ok());  // layer 1
  for (int time = 0; time < 2; ++time) EXPECT_EQ("its capture has ended", rank.series->wait({1}).message());
}

TEST(SeedSeries, LayersElsewhereTakeWhateverTheyAreGiven) {
  Rank rank(SeriesPolicy::seed(), 0, 2);
  EXPECT_EQ(nullptr, rank.layers[0]->tensor("weight")->loader);
  EXPECT_TRUE(rank.layers[1]->tensor("weight")->loader->nameless);
}

TEST(SeedSeries, HasNoWindowToFillWhereBuildingStoppedBeforeIt) {
  Rank rank(SeriesPolicy::seed(), 0, 2, nullptr, {0, 2, 4, 6});
  rank.backend->roots.clear();
  EXPECT_EQ(Code::failed, rank.series->reach({0}).code());
  EXPECT_TRUE(rank.backend->roots.empty());
}

}  // namespace
}  // namespace reloadlab::shared_series
