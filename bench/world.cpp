// What the modelled world costs whoever runs on it: events, deferred kernels, turns of hosts, and a layer of a series on one rank, from
// two ranks to 256.
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
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

using sim::modelled::Machine;
using sim::modelled::modelled_device;
using sim::modelled::round_robin;
using sim::modelled::RunReport;

constexpr auto kind = c10::DeviceType::PrivateUse1;

std::shared_ptr<Machine> machine_of(int ranks, bool bytes = true) {
  return std::make_shared<Machine>(sim::modelled::MachineConfig{.ranks = ranks, .bytes = bytes, .timeline = false}, round_robin());
}

void run(Machine& machine, const std::function<void(int rank)>& body) {
  const RunReport report = machine.run(body);
  RELOADLAB_CHECK(report.stopped.empty(), report.stopped);
  for (const std::exception_ptr& failure : report.failures)
    if (failure) std::rethrow_exception(failure);
}

// An event is recorded on one stream and waited for on another; `executed`: and both have done so.
void events(benchmark::State& state) {
  const std::shared_ptr<Machine> machine = machine_of(1);
  const c10::impl::VirtualGuardImpl device(kind);
  const c10::Stream first = device.getStream(modelled_device(0)), then = device.getNewStream(modelled_device(0));
  const int64_t pairs = tiny() ? 100 : 1000;
  Contest contest;
  c10::Event event(kind);
  const auto issue = [&](size_t) {
    for (int64_t i = 0; i < pairs; ++i) {
      event.record(first);
      event.block(then);
    }
  };
  const auto execute = [machine] { RELOADLAB_CHECK(machine->drain(), "a stream that cannot go on"); };
  contest.add({.name = "issued", .loads = 2 * pairs, .run = issue, .after = execute});
  contest.add({.name = "executed", .loads = 2 * pairs, .run = [&](size_t slice) { issue(slice), execute(); }});
  for (auto _ : state) contest.pass(state);
  contest.report(state);
}

// The same call on a modelled device, executed, and on the CPU.
void kernels(benchmark::State& state) {
  const std::shared_ptr<Machine> machine = machine_of(1);
  const int64_t calls = tiny() ? 100 : 1000;
  Contest contest;
  const auto add = [&](const std::string& name, c10::Device device, const std::function<void(at::Tensor&, const at::Tensor&)>& call) {
    at::Tensor to = at::zeros({64}, device), from = at::ones({64}, device);
    contest.add({.name = name, .loads = calls, .run = [=](size_t) mutable {
                   for (int64_t i = 0; i < calls; ++i) call(to, from);
                   RELOADLAB_CHECK(machine->drain(), "a stream that cannot go on");
                 }});
  };
  const auto copy = [](at::Tensor& to, const at::Tensor& from) { to.copy_(from); };
  const auto add_to = [](at::Tensor& to, const at::Tensor& from) { to.add_(from); };
  add("copy_ on cpu", at::kCPU, copy);
  add("copy_", modelled_device(0), copy);
  add("add_ on cpu", at::kCPU, add_to);
  add("add_", modelled_device(0), add_to);
  for (auto _ : state) contest.pass(state);
  contest.report(state);
}

// Hosts that do nothing but let each other go on.
void host_turns(benchmark::State& state) {
  const auto ranks = static_cast<int>(state.range(0));
  const int64_t turns = (tiny() ? 1024 : 65536) / ranks;
  for (auto _ : state) {
    const std::shared_ptr<Machine> machine = machine_of(ranks);
    run(*machine, [&](int) {
      for (int64_t turn = 0; turn < turns; ++turn) machine->host_access("a turn", false);
    });
  }
  state.counters["turns"] = benchmark::Counter(static_cast<double>(ranks * turns), benchmark::Counter::kIsIterationInvariantRate);
}

constexpr int64_t layers_of_a_ring = 61;

// One rank's end of a series on devices that have shapes and no bytes, as `meta` runs it.
struct Ring {
  std::unique_ptr<shared_series::SharedSeries> series;
  std::vector<model::LayerPtr> members;

  Ring(std::string_view policy, int ranks, int rank) {
    sim::modelled::GroupOptions options{.name = "ring", .ranks = std::vector<int>(static_cast<size_t>(ranks))};
    std::iota(options.ranks.begin(), options.ranks.end(), 0);
    series = make_series(*shared_series::parse_policy(policy),
                         {.name = "o_proj", .group = make_group(options, rank), .device = modelled_device(rank), .prefetch = 1});
    for (int64_t index = 0; index < layers_of_a_ring; ++index) {
      members.push_back(std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear"));
      at::Tensor weight = at::empty({8, 8}, at::TensorOptions().device(modelled_device(rank)));
      members.back()->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = std::move(weight)}));
      check(series->register_layer(members.back(), {index}));
    }
    check(series->finish_loading());
  }
  void pass() const {
    for (size_t index = 0; index < members.size(); ++index) {
      check(series->reach({static_cast<int64_t>(index)}));
      check(model::around_forward(*members[index], [] { return Status(); }));
    }
  }
};

struct Rings {
  std::shared_ptr<Machine> machine;
  std::vector<std::unique_ptr<Ring>> rings;

  Rings(std::string_view policy, int ranks) : machine(machine_of(ranks, false)), rings(static_cast<size_t>(ranks)) {
    run(*machine, [&](int rank) { rings[static_cast<size_t>(rank)] = std::make_unique<Ring>(policy, ranks, rank); });
  }
  void passes(int64_t count) const {
    run(*machine, [&](int rank) {
      for (int64_t pass = 0; pass < count; ++pass) rings[static_cast<size_t>(rank)]->pass();
    });
    RELOADLAB_CHECK(machine->races().races().empty(), "a ring without races");
  }
};

// A layer of a pass on one rank: what it issues, executed, happens-before included. Making and loading are not counted.
void ring(benchmark::State& state, const std::string& policy) {
  const int64_t passes = tiny() ? 1 : 3;
  const int most = tiny() ? 16 : 256;
  Contest contest;
  const auto name = [](int ranks) { return fmt::format("{} ranks", ranks); };
  for (int ranks = 2; ranks <= most; ranks *= 2) {
    auto rings = std::make_shared<std::unique_ptr<Rings>>();
    contest.add({.name = name(ranks),
                 .loads = layers_of_a_ring * passes * ranks,
                 .run = [=](size_t) { (*rings)->passes(passes); },
                 .before = [=] { *rings = std::make_unique<Rings>(policy, ranks); },
                 .after = [=] { rings->reset(); }});
  }
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, name(most), name(2));
}

BENCHMARK(events)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(kernels)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(host_turns)->Arg(16)->Arg(256)->UseRealTime()->MinTime(tiny() ? 0.001 : 3)->Unit(benchmark::kMillisecond);
// Enough passes for an undisturbed one.
BENCHMARK_CAPTURE(ring, seed, "seed")->UseManualTime()->Iterations(tiny() ? 1 : 9)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ring, hardened, "hardened")->UseManualTime()->Iterations(tiny() ? 1 : 9)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
