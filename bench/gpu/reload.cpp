// A layerwise reload of whole models on a GPU, sources on the device or in pinned memory of the host: Qwen3-8B and Qwen3-30B-A3B in their
// own shapes. In turns, in one process: the bytes copied once, a loop of plain copies, a reload from prepare to finish. A benchmark's time
// is a reload's, its counters are the best of all turns, and where it says so the median: milliseconds, the host's part of a reload (until
// finish has returned; the device may still be at work), and multiples of the bytes copied once. prepare, loads and finish are a reload's
// parts, with the device idle before each; host_loads and host_finish what the host takes for them within a reload. After the turns the
// model is spoiled, reloaded with evidence on, which gives the numbers of allocations, operators and copies, and compared.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/ops/empty.h>
#include <benchmark/benchmark.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "bench/contest.h"
#include "bench/gpu/gpu_model.h"
#include "reference/base/check.h"
#include "reference/layerwise/layerwise.h"
#include "reference/model/architecture/architecture.h"
#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "reference/model/tap/tap.h"

namespace reloadlab::bench {
namespace {

using layerwise::LayerwiseReload;
namespace allocator = c10::cuda::CUDACachingAllocator;

struct Shapes {
  const char* name;
  const char* architecture;
  Values values;
  int turns;
};

const Shapes dense{"dense",
                   "llama",
                   {{"vocab", int64_t{151936}},
                    {"hidden", int64_t{4096}},
                    {"heads", int64_t{32}},
                    {"kv_heads", int64_t{8}},
                    {"head_dim", int64_t{128}},
                    {"blocks", int64_t{36}},
                    {"intermediate", int64_t{12288}},
                    {"max_position", int64_t{40960}},
                    {"qk_norm", true}},
                   15};
const Shapes experts{"experts", "qwen_moe", {}, 9};
const Shapes pinned{dense.name, dense.architecture, dense.values, 3};  // each turn takes a second

model::ModelSpec spec_of(const Shapes& shapes) {
  model::ModelSpec spec;
  spec.architecture = shapes.architecture;
  spec.values = shapes.values;
  if (tiny()) spec.values.insert_or_assign("blocks", int64_t{1});
  const Status expanded = model::expand_architecture(spec);
  RELOADLAB_CHECK(expanded.ok(), expanded.message());
  return spec;
}

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

// Several turns, in milliseconds: the best one and the median, and the best of what the host took.
struct Best {
  double all = std::numeric_limits<double>::infinity(), host = all;
  std::vector<double> turns = {};
  double median() {
    std::ranges::nth_element(turns, turns.begin() + std::ssize(turns) / 2);
    return turns[turns.size() / 2];
  }
  template <class Fn>
  double take(Fn&& fn) {
    c10::cuda::device_synchronize();
    const Clock::time_point begin = Clock::now();
    fn();
    host = std::min(host, since(begin));
    c10::cuda::device_synchronize();
    const double taken = since(begin);
    all = std::min(all, taken);
    turns.push_back(taken);
    return taken;
  }
};

// Half of the checkpoint onto its other half, twice: as many bytes, and no room for a third copy needed. From the host, onto a part of the
// device's memory again and again.
void copy_once(const at::Tensor& sources, const at::Tensor& part) {
  const int64_t half = sources.numel() / 2;
  for (int64_t at = 0; part.defined() && at < sources.numel(); at += part.numel()) {
    const int64_t bytes = std::min(part.numel(), sources.numel() - at);
    part.narrow(0, 0, bytes).copy_(sources.narrow(0, at, bytes), /*non_blocking=*/true);
  }
  if (part.defined()) return;
  for (int again = 0; again < 2; ++again) sources.narrow(0, half, half).copy_(sources.narrow(0, 0, half));
}

// What a reload issues: copies by themselves, operators that copy many tensors, and those tensors.
class Issued final : public model::OpListener {
 public:
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    ++operators;
    if (op.schema().name() == "aten::copy_") note(stack[stack.size() - 3].toTensor(), copies);
    if (op.schema().name() != "aten::_foreach_copy_") return;
    ++gathering;
    for (const at::Tensor& tensor : stack[stack.size() - 3].toTensorVector()) note(tensor, gathered);
  }
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}
  int64_t operators = 0, copies = 0, gathering = 0, gathered = 0, bytes = 0;

 private:
  void note(const at::Tensor& to, int64_t& counter) {
    if (!to.is_cuda()) return;
    ++counter;
    bytes += static_cast<int64_t>(to.nbytes());
  }
};

int64_t allocations_so_far() {
  return allocator::getDeviceStats(0).allocation[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].allocated;
}

int64_t allocated() {
  return allocator::getDeviceStats(0).allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current;
}
int64_t peak() {
  return allocator::getDeviceStats(0).allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

// A model, an instance that has seen its first load, and what there is to time.
class Race {
 public:
  Race(const model::ModelSpec& spec, const layerwise::LayerwisePolicy& policy, Sources sources) : gpu_(spec, sources), engine_(policy, {}) {
    if (sources == Sources::pinned) part_ = at::empty({int64_t{1} << 30}, at::TensorOptions(at::kByte).device(at::kCUDA));
    must(engine_.record(gpu_.model()));
    must(gpu_.send());
    must(engine_.first_load_done(gpu_.model()));
    must(model::process_model_after_loading(gpu_.model()));
    reload();
  }

  double turn() {
    once_.take([&] { copy_once(gpu_.sources(), part_); });
    copies_.take([&] { gpu_.copy_plainly(); });
    prepare_.take([&] { must(engine_.prepare(gpu_.model())); });
    send_.take([&] { must(gpu_.send()); });
    finish_.take([&] { must(engine_.finish(gpu_.model(), DType::bf16)); });
    return reload_.take([&] { reload(); });
  }

  void report(benchmark::State& state) {
    state.counters["loads"] = static_cast<double>(gpu_.loads().size());
    state.counters["GB"] = static_cast<double>(gpu_.sources().nbytes()) * 1e-9;
    state.counters["ms:once"] = once_.all;
    state.counters["ms:copies"] = copies_.all;
    state.counters["ms:reload"] = reload_.all;
    state.counters["ms:host"] = reload_.host;
    state.counters["ms:once_median"] = once_.median();
    state.counters["ms:reload_median"] = reload_.median();
    state.counters["median/once"] = reload_.median() / once_.median();
    state.counters["copies/once"] = copies_.all / once_.all;
    state.counters["reload/once"] = reload_.all / once_.all;
    state.counters["ms:prepare"] = prepare_.all;
    state.counters["ms:loads"] = send_.all;
    state.counters["ms:finish"] = finish_.all;
    state.counters["ms:host_loads"] = host_loads_;
    state.counters["ms:host_finish"] = host_finish_;
    state.counters["GB:extra"] = static_cast<double>(extra_) * 1e-9;
    state.counters["n:allocations"] = static_cast<double>(allocations_);
    state.counters["n:operators"] = static_cast<double>(issued_.operators);
    state.counters["n:copies"] = static_cast<double>(issued_.copies);
    state.counters["n:gathering"] = static_cast<double>(issued_.gathering);
    state.counters["n:gathered"] = static_cast<double>(issued_.gathered);
    state.counters["GB:copied"] = static_cast<double>(issued_.bytes) * 1e-9;
  }

  // Copies whose bytes are wrong after a reload of a model that held others. What it issues is seen, so it is not timed.
  int64_t check() {
    gpu_.spoil();
    const int64_t before = allocated(), so_far = allocations_so_far();
    allocator::resetPeakStats(0);
    {
      model::TapGuard tap(model::Tap::harness, issued_);
      reload();
    }
    extra_ = peak() - before;
    allocations_ = allocations_so_far() - so_far;
    return gpu_.wrong();
  }

 private:
  void reload() {
    must(engine_.prepare(gpu_.model()));
    const Clock::time_point prepared = Clock::now();
    must(gpu_.send());
    const Clock::time_point sent = Clock::now();
    must(engine_.finish(gpu_.model(), DType::bf16));
    host_loads_ = std::min(host_loads_, std::chrono::duration<double, std::milli>(sent - prepared).count());
    host_finish_ = std::min(host_finish_, since(sent));
  }

  GpuModel gpu_;
  LayerwiseReload engine_;
  at::Tensor part_;  // sources on the host only
  Issued issued_;
  int64_t allocations_ = 0;
  Best once_, copies_, reload_, prepare_, send_, finish_;
  double host_loads_ = std::numeric_limits<double>::infinity(), host_finish_ = host_loads_;
  int64_t extra_ = 0;
};

// What is missing, if the device has no room for `models` models and a layer or two.
std::string no_room(const model::ModelSpec& spec, double models) {
  size_t free = 0, total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  const double needed = static_cast<double>(GpuModel::bytes(spec)) * models * 1e-9 + 6, there = static_cast<double>(free) * 1e-9;
  return needed <= there ? "" : fmt::format("not run: it needs {:.0f} GB of the device, {:.0f} are free", needed, there);
}

void reload(benchmark::State& state, const Shapes& shapes, const char* policy, double models, Sources sources) {
  const model::DeviceScope scope(c10::Device(at::kCUDA, 0));
  const Result<layerwise::LayerwisePolicy> parsed = layerwise::parse_policy(policy);
  must(parsed.status());
  const model::ModelSpec spec = spec_of(shapes);
  allocator::emptyCache();
  if (const std::string why = no_room(spec, models); !why.empty()) return state.SkipWithError(why.c_str());
  Race race(spec, *parsed, sources);
  for (auto _ : state) state.SetIterationTime(race.turn() * 1e-3);
  if (const int64_t wrong = race.check(); wrong > 0) state.SkipWithError(fmt::format("{} copies brought wrong bytes", wrong).c_str());
  race.report(state);
}

void add(const Shapes& shapes, const char* policy, double models, Sources sources = Sources::device) {
  const char* from = sources == Sources::pinned ? "/pinned" : "";
  benchmark::RegisterBenchmark(
      fmt::format("reload/{}{}/{}", shapes.name, from, policy).c_str(),
      [&shapes, policy, models, sources](benchmark::State& state) { reload(state, shapes, policy, models, sources); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(shapes.turns);
}

void add_all() {
  for (const Shapes* shapes : {&dense, &experts}) {
    add(*shapes, "seed", 2);
    add(*shapes, "hardened,abort=unusable,landing=materialized", 2);
    add(*shapes, "hardened,abort=unusable", 2);
    add(*shapes, "hardened,abort=unusable,landing=direct", 2);
    add(*shapes, "hardened,abort=unusable,landing=direct,boxes=declared", 2);
    add(*shapes, "hardened", 3);
    add(*shapes, "hardened,landing=direct", 3);
  }
  for (const char* policy : {"seed", "hardened,abort=unusable", "hardened,abort=unusable,landing=direct",
                             "hardened,abort=unusable,landing=direct,boxes=declared"})
    add(pinned, policy, 1, Sources::pinned);
}

}  // namespace
}  // namespace reloadlab::bench

int main(int argc, char** argv) {
  if (c10::cuda::device_count() == 0) {
    fmt::print("no GPU here\n");
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("device", at::cuda::getDeviceProperties(0)->name);
  reloadlab::bench::add_all();
  benchmark::RunSpecifiedBenchmarks();
}
