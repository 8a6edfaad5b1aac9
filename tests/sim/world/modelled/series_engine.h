#pragma once
// Engines with a series each, one a rank, on a modelled machine, and short words for what they do.
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "reference/shared_series/series.h"
#include "sim/world/modelled/group.h"
#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {

using shared_series::Arrival;
using shared_series::LayerIndex;
using shared_series::SeriesPolicy;
using shared_series::SharedSeries;

inline SeriesPolicy policy_named(std::string_view spelling) { return *shared_series::parse_policy(spelling); }
inline SeriesPolicy statically_bound() { return policy_named("hardened,binding=static"); }

struct Shape {
  int ranks = 2;
  int64_t layers = 5, first = 0, prefetch = 1;
};

constexpr int64_t width = 8;  // weights are width x width
constexpr int64_t weight_bytes = width * width * 4;

c10::intrusive_ptr<c10d::ProcessGroup> inline ring_group(const std::string& name, int ranks, int rank) {
  GroupOptions options{.name = name};
  for (int each = 0; each < ranks; ++each) options.ranks.push_back(each);
  return make_group(options, rank);
}

// What an engine may have other than usual.
struct EngineOptions {
  std::string name = "o";
  c10::intrusive_ptr<c10d::ProcessGroup> group = {};  // null: one of all ranks
  c10::intrusive_ptr<c10d::Store> store = {};
  std::function<void(model::Layer&, int64_t index)> dress = [](model::Layer&, int64_t) {};  // before a layer is registered
  bool load = true;                                                                         // version 1, and finish_loading()
};

// One rank's series and what its passes read. A layer's weight is full of one number, its version times 100 plus its index.
struct Engine {
  Shape shape;
  int rank;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  std::vector<model::LayerPtr> layers;
  std::unique_ptr<SharedSeries> series;
  at::Tensor input;
  std::vector<at::Tensor> outputs;  // one for each forward
  Status status;                    // the first failure

  Engine(const SeriesPolicy& policy, const Shape& wanted, int this_rank, const EngineOptions& setup = {}) : shape(wanted), rank(this_rank) {
    group = setup.group ? setup.group : ring_group("ring", shape.ranks, rank);
    series = make_series(
        policy, {.name = setup.name, .group = group, .device = modelled_device(rank), .prefetch = shape.prefetch, .store = setup.store});
    input = at::ones({1, width}, on(rank));
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index) add_layer(index, setup);
    if (!setup.load) return;
    load(1);
    keep(series->finish_loading());
  }
  void add_layer(int64_t index, const EngineOptions& setup) {
    auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear");
    layer->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::empty({width, width}, on(rank))}));
    setup.dress(*layer, index);
    keep(series->register_layer(layer, {index}));
    layers.push_back(layer);
  }
  void keep(const Status& outcome) {
    if (status.ok()) status = outcome;
  }
  bool owns(int64_t index) const { return index % group->getSize() == group->getRank(); }
  model::Layer& layer(int64_t index) { return *layers[static_cast<size_t>(index - shape.first)]; }
  at::Tensor& weight(int64_t index) { return layer(index).tensor("weight")->tensor; }
  static double value(int version, int64_t index) { return static_cast<double>(100 * version + index); }
  // Owners write their weights.
  void load(int version) {
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index)
      if (owns(index)) weight(index).fill_(value(version, index));
  }
  // Every rank calls the loaders of all weights.
  void load_checkpoint(int version) {
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index) keep(load_one(version, index));
  }
  Status load_one(int version, int64_t index) {
    model::Parameter& parameter = *layer(index).tensor("weight");
    const model::LoaderPtr loader = parameter.loader ? parameter.loader : model::default_weight_loader();
    return (*loader)(parameter, at::full({width, width}, value(version, index), on(rank)), {});
  }
  // The layer's forward, which waits for its weight.
  Status forward(int64_t index) {
    return model::around_forward(layer(index), [&] {
      outputs.push_back(at::mm(input, weight(index)));
      return Status();
    });
  }
  void step(int64_t index) {
    keep(series->reach({index}));
    if (status.ok()) keep(forward(index));
  }
  void pass(int64_t steps) {
    for (int64_t index = shape.first; index < shape.first + steps; ++index) step(index);
  }
  void pass() { pass(shape.layers); }
  void reload(int version, Arrival arrival) {
    keep(series->begin_reload(arrival));
    if (!status.ok()) return;
    if (arrival == Arrival::in_place) load(version);
    if (arrival == Arrival::checkpoint) load_checkpoint(version);
    keep(series->reload());
  }
  // What each forward read; nan where it was poison.
  std::vector<float> reads() {
    std::vector<float> seen;
    for (const at::Tensor& output : outputs) seen.push_back(values(output)[0] / width);
    return seen;
  }
  std::vector<float> expected(std::vector<int> versions) const {
    std::vector<float> all;
    for (int version : versions)
      for (int64_t index = shape.first; index < shape.first + shape.layers; ++index)
        all.push_back(static_cast<float>(value(version, index)));
    return all;
  }
  void expect_reads(std::vector<int> versions) {
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(reads(), expected(std::move(versions)));
  }
};

inline void on_engines(Machine& machine, const SeriesPolicy& policy, const Shape& shape, const std::function<void(Engine&)>& body,
                       const EngineOptions& setup = {}) {
  expect_clean(machine.run([&](int rank) {
    Engine engine(policy, shape, rank, setup);
    body(engine);
  }));
}

inline int64_t broadcasts(const Machine& machine) {
  return std::count_if(machine.steps().begin(), machine.steps().end(), [](const Step& step) { return step.name.starts_with("broadcast"); });
}

}  // namespace reloadlab::sim::modelled
