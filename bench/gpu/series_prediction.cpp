#include "bench/gpu/series_prediction.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <numeric>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "bench/contest.h"
#include "reference/base/check.h"
#include "reference/shared_series/series.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/group.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::bench {
namespace {

using namespace sim::modelled;

constexpr double picoseconds_of_a_ms = 1e9;

struct ModelledRing {
  std::unique_ptr<shared_series::SharedSeries> series;
  std::vector<model::LayerPtr> members;

  ModelledRing(const PassModel& model, int64_t prefetch, int rank) {
    GroupOptions options{.name = "ring", .ranks = std::vector<int>(static_cast<size_t>(model.ranks))};
    std::iota(options.ranks.begin(), options.ranks.end(), 0);
    series = make_series(*shared_series::parse_policy("hardened"),
                         {.name = "o_proj", .group = make_group(options, rank), .device = modelled_device(rank), .prefetch = prefetch});
    for (int64_t index = 0; index < model.layers; ++index) {
      members.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear"));
      at::Tensor weight = at::empty({model.bytes}, at::TensorOptions().device(modelled_device(rank)).dtype(at::kByte));
      members.back()->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = std::move(weight)}));
      check(series->register_layer(members.back(), {index}));
    }
    check(series->finish_loading());
  }

  void pass(Machine& machine, Picoseconds compute) const {
    for (size_t index = 0; index < members.size(); ++index) {
      check(series->reach({static_cast<int64_t>(index)}));
      check(model::around_forward(*members[index], [&] {
        machine.issue(stream_here(machine.device()), Kernel{.name = "gemm", .cost = compute, .run = [] {}});
        return Status();
      }));
    }
  }
};

void run(Machine& machine, const std::function<void(int rank)>& body) {
  const RunReport report = machine.run(body);
  RELOADLAB_CHECK(report.stopped.empty(), report.stopped);
  for (const std::exception_ptr& failure : report.failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

double predicted_pass(const PassModel& model, int64_t prefetch) {
  Machine machine({.ranks = model.ranks, .rates = model.rates, .bytes = false, .timeline = false}, timed());
  std::vector<std::unique_ptr<ModelledRing>> rings(static_cast<size_t>(model.ranks));
  PointPtr begin, end;
  run(machine, [&](int rank) {
    auto& ring = rings[static_cast<size_t>(rank)];
    ring = std::make_unique<ModelledRing>(model, prefetch, rank);
    const auto compute = static_cast<Picoseconds>(model.layer_ms * picoseconds_of_a_ms);
    ring->pass(machine, compute);
    if (rank == 0) begin = machine.record(stream_here(machine.device()), "the pass before has ended");
    ring->pass(machine, compute);
    if (rank == 0) end = machine.record(stream_here(machine.device()), "the pass has ended");
  });
  const double taken = static_cast<double>(end->time - begin->time) / picoseconds_of_a_ms;
  run(machine, [&](int rank) { rings[static_cast<size_t>(rank)].reset(); });
  return taken;
}

}  // namespace reloadlab::bench
