// What a layer of a shared-weight series costs its host: reach, wait and done, with a communicator and a device that do nothing, so that
// the rest is the dispatcher's part of a broadcast (measured beside it) and the series' own.
#include "reference/shared_series/series.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "bench/contest.h"
#include "bench/silent_device.h"
#include "reference/base/check.h"

namespace reloadlab::bench {
namespace {

using shared_series::SharedSeries;

constexpr int64_t layers = 61, prefetch = 1;
constexpr int ranks = 2;

struct Ring {
  std::unique_ptr<SharedSeries> series;
  std::vector<model::LayerPtr> members;

  explicit Ring(std::string_view policy, bool stored) {
    c10::intrusive_ptr<c10d::Store> store;
    if (stored) store = c10::make_intrusive<c10d::HashStore>();
    series = make_series(*shared_series::parse_policy(policy),
                         {.name = "o_proj", .group = silent_group(ranks), .device = silent_device(), .prefetch = prefetch, .store = store});
    for (int64_t index = 0; index < layers; ++index) {
      members.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear"));
      members.back()->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::empty({8, 8})}));
      check(series->register_layer(members.back(), {index}));
    }
    check(series->finish_loading());
  }
  static void check(const Status& outcome) { RELOADLAB_CHECK(outcome.ok(), outcome.message()); }
  void pass() const {
    for (int64_t index = 0; index < layers; ++index) {
      check(series->reach({index}));
      check(series->wait({index}));
      check(series->done({index}));
    }
  }
};

void add(Contest& contest, const std::string& name, std::function<void()> pass) {
  const int64_t passes = tiny() ? 2 : 50;
  contest.add({.name = name, .loads = passes * layers, .slices = static_cast<size_t>(passes), .run = [=](size_t) { pass(); }});
}

void add_ring(Contest& contest, const std::string& name, std::string_view policy, bool stored = false) {
  auto ring = std::make_shared<Ring>(policy, stored);
  add(contest, name, [ring] { ring->pass(); });
}

void reach_and_wait(benchmark::State& state) {
  Contest contest;
  auto group = silent_group(ranks);
  auto tensors = std::make_shared<std::vector<at::Tensor>>(1, at::empty({8, 8}));
  add(contest, "broadcast", [=] {
    for (int64_t index = 0; index < layers; ++index) benchmark::DoNotOptimize(group->broadcast(*tensors)->wait());
  });
  add_ring(contest, "seed", "seed");
  add_ring(contest, "hardened", "hardened");
  add_ring(contest, "hardened_static", "hardened,binding=static");
  add_ring(contest, "hardened_stored", "hardened", true);
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "hardened", "seed");
}

BENCHMARK(reach_and_wait)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
