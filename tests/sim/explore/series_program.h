#pragma once
// The series of reference/shared_series as a program to explore: loading and the first windows are no choices; passes are. With
// `hosts`, each rank's code runs on its own host; otherwise one host issues everything, rank by rank.
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include "reference/shared_series/series.h"
#include "sim/explore/program.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/group.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::explore {

struct SeriesShape {
  int ranks = 2;
  int64_t layers = 2, prefetch = 0, first = 0, passes = 1;
  bool waits = true;  // passes call wait()
  bool hosts = false;
  shared_series::SeriesPolicy policy = shared_series::SeriesPolicy::hardened();
};

class SeriesRank {
 public:
  SeriesRank(const SeriesShape& shape, int rank) : shape_(shape), rank_(rank) {
    const c10::DeviceGuard guard(modelled::modelled_device(rank));
    modelled::GroupOptions options{.name = "ring"};
    for (int each = 0; each < shape.ranks; ++each) options.ranks.push_back(each);
    c10::Device device = modelled::modelled_device(rank);
    auto group = make_group(options, rank);
    series_ = make_series(shape.policy, {.name = "ring", .group = group, .device = device, .prefetch = shape.prefetch, .store = {}});
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index) {
      auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear");
      auto weight = std::make_shared<model::Parameter>();
      weight->tensor = at::empty({2}, at::TensorOptions().device(device));
      layer->assign("weight", weight);
      keep(series_->register_layer(layer, {index}));
      layers_.push_back(layer);
      if (index % shape.ranks == rank) weight->tensor.fill_(static_cast<double>(100 + index));
    }
    reads_ = at::zeros({shape.passes * shape.layers, 2}, at::TensorOptions().device(device));
    keep(series_->finish_loading());
  }
  void step(int64_t pass, int64_t offset) {
    const c10::DeviceGuard guard(modelled::modelled_device(rank_));
    shared_series::LayerIndex index{shape_.first + offset};
    keep(series_->reach(index));
    if (shape_.waits) keep(series_->wait(index));
    reads_[pass * shape_.layers + offset].copy_(layers_[static_cast<size_t>(offset)]->tensor("weight")->tensor);
    keep(series_->done(index));
  }
  std::string verdict() const {
    if (!status_.ok()) return status_.message();
    std::vector<float> seen = read();
    for (size_t i = 0; i < seen.size(); ++i)
      if (seen[i] != static_cast<float>(100 + shape_.first + static_cast<int64_t>(i / 2) % shape_.layers))
        return "a forward read something else than its layer";
    return {};
  }
  std::vector<float> read() const {
    at::Tensor bytes = modelled::alias_on_cpu(reads_);
    return {bytes.data_ptr<float>(), bytes.data_ptr<float>() + bytes.numel()};
  }

 private:
  void keep(const Status& status) {
    if (status_.ok()) status_ = status;
  }
  SeriesShape shape_;
  int rank_;
  std::vector<model::LayerPtr> layers_;
  std::unique_ptr<shared_series::SharedSeries> series_;
  at::Tensor reads_;
  Status status_;
};

inline Program series_program(const SeriesShape& shape) {
  return [shape](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = shape.ranks}, std::move(chooser));
    std::vector<std::unique_ptr<SeriesRank>> ranks;
    {
      const modelled::Machine::Fixed fixed(machine);
      for (int rank = 0; rank < shape.ranks; ++rank) ranks.push_back(std::make_unique<SeriesRank>(shape, rank));
      machine.drain();
    }
    auto pass = [&](int rank) {
      for (int64_t number = 0; number < shape.passes; ++number)
        for (int64_t offset = 0; offset < shape.layers; ++offset) ranks[static_cast<size_t>(rank)]->step(number, offset);
    };
    std::string verdict;
    if (shape.hosts) {
      verdict = machine.run(pass).stopped;
    } else {
      for (int rank = 0; rank < shape.ranks; ++rank) pass(rank);
      if (!machine.drain()) verdict = "deadlock";
    }
    Outcome outcome{.verdict = verdict, .state = {}, .ranks = shape.ranks, .races = machine.races().races()};
    for (const auto& rank : ranks) {
      outcome.state += fmt::format("{} ", fmt::join(rank->read(), " "));
      if (outcome.verdict.empty()) outcome.verdict = rank->verdict();
    }
    return outcome;
  };
}

}  // namespace reloadlab::sim::explore
