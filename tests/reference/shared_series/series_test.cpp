// A series where there are no streams and no other ranks to speak of: on the CPU, with a communicator that does nothing.
#include "reference/shared_series/series.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

namespace reloadlab::shared_series {
namespace {

struct Complete final : c10d::Work {
  bool wait(std::chrono::milliseconds) override { return true; }
};

struct Silent final : c10d::Backend {
  using Backend::Backend;
  const std::string getBackendName() const override { return "silent"; }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>&, const c10d::BroadcastOptions&) override {
    return c10::make_intrusive<Complete>();
  }
};

struct Rank {
  std::vector<model::LayerPtr> layers;
  std::unique_ptr<SharedSeries> series;
  Status status;

  Rank(const SeriesPolicy& policy, int rank, int ranks) {
    auto group = c10::make_intrusive<c10d::ProcessGroup>(c10::make_intrusive<c10d::HashStore>(), rank, ranks);
    group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::CUSTOM, c10::make_intrusive<Silent>(rank, ranks));
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::CUSTOM);
    series = make_series(policy, {.name = "o", .group = group, .device = c10::kCPU, .prefetch = 1, .store = {}});
    for (int64_t index = 0; index < 4; ++index) {
      layers.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear"));
      layers.back()->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::empty({2, 2})}));
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

TEST(SeriesOnTheCpu, WeightsElsewhereAreOneElement) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()}) {
    Rank rank(policy, 0, 2);
    std::vector<int64_t> elements;
    for (const model::LayerPtr& layer : rank.layers) elements.push_back(layer->tensor("weight")->tensor.numel());
    // The first window holds layer 0, which is this rank's own.
    EXPECT_EQ(elements, (std::vector<int64_t>{4, 1, 4, 1}));
  }
}

}  // namespace
}  // namespace reloadlab::shared_series
