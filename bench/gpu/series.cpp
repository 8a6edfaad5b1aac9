// Passes of a shared-weight series on two GPUs, a process for each rank: 61 layers in the shape of DeepSeek-V3's o_proj, with real GEMMs
// of as many tokens as make a layer 0.5, 2 and 8 times as long as its broadcast. In turns, in one process: the GEMMs alone; with
// broadcasts that nobody waits for, each released as a ring's, and with independent ones of the same bytes; rings that look 0, 1 and 2
// layers ahead; every other turn backwards, so that clocks which fall favour none. GEMMs run at the limit of power, and which clocks they
// get depends on what the GPU did before: a pass behind one that rested takes up to a twentieth longer. So one of independent broadcasts,
// which is not timed, goes before each. What the slower rank takes counts. Counters are medians of all turns, in milliseconds; ratios those
// of each turn, for clocks differ from turn to turn. `predicted` is what modelled devices say, with a lone broadcast's time, what the
// released ones add to GEMMs, and what GEMMs are quicker behind rests of a broadcast's length. A second run takes passes apart: what GEMMs
// waited on the rank that waited least (`exposed`), for that is what the ring costs: what the other one waited besides (`behind`) was for
// the first one's GEMMs; and each broadcast beside that of NCCL itself under the same GEMMs. Broadcasts have a few CTAs, and GEMMs leave
// them as many SMs, as engines do that overlap the two; broadcasts run on streams of high priority, NCCL's own as well. Two benchmarks show
// what comes of GEMMs that take the whole GPU: their CTAs stay to the end, so that a broadcast which comes after one begins when it ends.
// Then the bytes that were asked for are compared with SW5, and what layers read with their values.
#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <benchmark/benchmark.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/contest.h"
#include "bench/gpu/peers.h"
#include "bench/gpu/series_passes.h"
#include "bench/gpu/series_prediction.h"
#include "sim/world/cuda/communicators.h"

namespace reloadlab::bench {
namespace {

constexpr int ranks = 2;
constexpr int64_t most_ahead = 2, tokens_step = 512, small_bytes = 1 << 10;
constexpr double most_slowed = 10;

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

std::vector<double> lengths(const std::vector<Interval>& times) {
  std::vector<double> lengths;
  std::ranges::transform(times, std::back_inserter(lengths), &Interval::length);
  return lengths;
}

double total(const std::vector<Interval>& times) {
  return std::accumulate(times.begin(), times.end(), 0.0, [](double sum, const Interval& time) { return sum + time.length(); });
}

// An even number, and fewer of long passes, which differ less.
int turns(double ratio) {
  if (tiny()) return 1;
  return ratio > 2 ? 4 : 10;
}

std::string ring_name(int64_t prefetch) { return fmt::format("k{}", prefetch); }

// Everything of one dtype, made once.
class Passes {
 public:
  Passes(const sim::Seat& seat, at::ScalarType type, const Sharing& sharing)
      : store_(sim::cuda::Communicators::of(seat).store("series", rounds_++)),
        seat_(seat),
        layers_(type),
        nccl_(*store_, seat.rank, seat.ranks, sharing),
        group_(store_, seat, sharing),
        windows_(most_ahead + 1) {
    at::globalContext()._setSMCarveout_EXPERIMENTAL(sharing.ctas > 0 ? std::optional(sharing.ctas) : std::nullopt);
    for (at::Tensor& window : windows_) window = at::empty_like(layers_.weight(0));
    lone_ms_ = lone(layers_.bytes());
    small_ms_ = lone(small_bytes);
  }

  // As rank 0 says: so many tokens that a layer is about `ratio` times as long as its broadcast. In large steps, so that runs multiply the
  // same shapes: how GEMMs share a GPU with broadcasts depends on how full their last wave of tiles is.
  void choose_tokens(double ratio) {
    int64_t tokens = 4096;
    for (int again = 0; again < 2; ++again) {
      layers_.set_tokens(tokens);
      const double wanted = ratio * lone_ms_, taken = layer_time(stage());
      tokens = std::max<int64_t>(1, std::llround(static_cast<double>(tokens) * wanted / taken / tokens_step)) * tokens_step;
      tokens = agreed(tokens);
    }
    layers_.set_tokens(tokens_ = tokens);
  }

  void turn() {
    std::vector<std::function<void()>> passes = {[&] { take("none", slowest(plain_pass(stage(), false).pass)); },
                                                 [&] { take_rested(rested_pass(stage(), lone_ms_)); },
                                                 [&] { take("released", slowest(released_pass(stage(), windows_, 1).pass)); },
                                                 [&] { take("independent", slowest(independent_pass(stage(), windows_).pass)); }};
    for (int64_t k = 0; k <= most_ahead; ++k) passes.push_back([this, k] { take(ring_name(k), slowest(ring(k).pass(false).pass)); });
    if (taken_["none"].size() % 2 == 1) std::ranges::reverse(passes);
    for (const auto& pass : passes) settle(), pass();
  }

  void take_apart(int turns) {
    std::vector<std::function<void()>> passes = {[&] { take("idle", std::ranges::min(of_ranks(total(plain_pass(stage(), true).waits)))); }};
    for (int64_t k = 0; k <= most_ahead; ++k) {
      passes.push_back(
          [this, k] { take("raw:" + ring_name(k), median(once_all_came(lengths(released_pass(stage(), windows_, k).broadcasts)))); });
      passes.push_back([this, k] { take_ring_apart(k, ring(k).pass(true)); });
    }
    for (int again = 0; again < turns; ++again) {
      for (const auto& pass : passes) pass();
      std::ranges::reverse(passes);
    }
  }

  void report(benchmark::State& state) {
    auto& counters = state.counters;
    const double lone = lone_ms_ * static_cast<double>(o_proj_layers);
    counters["tokens"] = static_cast<double>(tokens_);
    counters["MB"] = static_cast<double>(layers_.bytes()) * 1e-6;
    counters["ms:layer"] = layer_ms();
    counters["ms:broadcast"] = lone_ms_;
    counters["ms:small_broadcast"] = small_ms_;
    counters["percent_beside"] = static_cast<double>(rates().beside_percent);
    counters["percent_rested"] = static_cast<double>(rates().rested_percent);
    for (const auto& [name, values] : taken_) counters["ms:" + name] = median(values);
    for (int64_t k = 0; k <= most_ahead; ++k) {
      const std::string name = ring_name(k);
      const double pass = median(taken_[name]), waited = std::max(0.0, median(taken_["waited:" + name]) - median(taken_["idle"]));
      const double predicted =
          predicted_pass({.ranks = ranks, .layers = o_proj_layers, .bytes = layers_.bytes(), .layer_ms = layer_ms(), .rates = rates()}, k);
      counters[name + "/independent"] = ratio(name, "independent");
      counters[name + "/none"] = ratio(name, "none");
      counters["exposed:" + name] = waited / pass;
      counters["behind:" + name] = median(taken_["behind:" + name]) / pass;
      counters["hidden:" + name] = 1 - waited / lone;
      counters["raw/broadcast:" + name] = ratio("raw:" + name, "broadcast:" + name);
      counters["ms:predicted:" + name] = predicted;
      counters["predicted/" + name] = predicted / pass;
    }
    taken_.clear();
  }

  // What is wrong; empty where nothing is.
  std::string check() {
    for (int64_t k = 0; k <= most_ahead; ++k) {
      RingPasses& one = ring(k);
      if (one.bytes() != one.bytes_meant())
        return fmt::format("{} holds {} bytes, SW5 says {}", ring_name(k), one.bytes(), one.bytes_meant());
      if (const int64_t wrong = one.wrong(); wrong > 0) return fmt::format("{} reads {} layers wrong", ring_name(k), wrong);
    }
    return {};
  }

 private:
  Stage stage() { return {seat_, layers_, nccl_, group_}; }
  void settle() { independent_pass(stage(), windows_); }
  void take(const std::string& name, double ms) { taken_[name].push_back(ms); }
  double lone(int64_t bytes) { return median(lengths(lone_broadcasts(stage(), windows_, bytes).broadcasts)); }

  void take_rested(const PassTimes& times) {
    take("rests", slowest(total(times.waits)));
    take("rested", slowest(times.pass - total(times.waits)));
  }

  // A broadcast in which a rank waits for another one's kernel does not move bytes yet, so that the last to come tells how long they do.
  void take_ring_apart(int64_t ahead, const PassTimes& times) {
    const std::string name = ring_name(ahead);
    const auto [least, most] = std::ranges::minmax(of_ranks(total(times.waits)));
    take("waited:" + name, least);
    take("behind:" + name, most - least);
    take("broadcast:" + name, median(once_all_came(lengths(times.broadcasts))));
  }

  // One at a time fits.
  RingPasses& ring(int64_t prefetch) {
    auto& one = rings_[prefetch];
    if (!one) one = std::make_unique<RingPasses>(stage(), prefetch);
    return *one;
  }

  int64_t agreed(int64_t tokens) {
    const std::string key = fmt::format("tokens {}", asked_++);
    if (seat_.rank == 0) store_->set(key, std::to_string(tokens));
    return std::stoll(store_->get_to_str(key));
  }

  // Times of all ranks, one for each.
  std::vector<std::vector<double>> gathered(const std::vector<double>& mine) {
    const int64_t number = asked_++;
    const auto key = [&](int rank) { return fmt::format("times {} of {}", number, rank); };
    store_->set(key(seat_.rank), nlohmann::json(mine).dump());
    std::vector<std::vector<double>> all;
    for (int rank = 0; rank < seat_.ranks; ++rank) all.push_back(nlohmann::json::parse(store_->get_to_str(key(rank))));
    return all;
  }
  // A pass is over when the last rank's is: GPUs of one host differ, and a ring goes at the pace of the slower one.
  double slowest(double ms) { return std::ranges::max(of_ranks(ms)); }
  std::vector<double> of_ranks(double ms) {
    std::vector<double> all;
    for (const auto& one : gathered({ms})) all.push_back(one.front());
    return all;
  }
  std::vector<double> once_all_came(const std::vector<double>& times) {
    const auto all = gathered(times);
    std::vector<double> shortest = all.front();
    for (const auto& one : all) std::ranges::transform(shortest, one, shortest.begin(), [](double a, double b) { return std::min(a, b); });
    return shortest;
  }

  double ratio(const std::string& one, const std::string& other) {
    std::vector<double> ratios;
    std::ranges::transform(taken_[one], taken_[other], std::back_inserter(ratios), std::divides());
    return median(std::move(ratios));
  }

  double layer_ms() { return median(taken_["none"]) / static_cast<double>(o_proj_layers); }

  // A broadcast as it is alone; what it adds to GEMMs, as percent of what these take alone while it goes on; and what rests take from them.
  sim::modelled::Rates rates() {
    constexpr double picoseconds = 1e9;
    const double none = median(taken_["none"]), released = median(taken_["released"]), added = released - none;
    const double saved = none - median(taken_["rested"]);  // what GEMMs are quicker behind rests
    const double beside = std::min(lone_ms_ * static_cast<double>(o_proj_layers), released);
    return {.link_bytes_per_s = std::llround(static_cast<double>(layers_.bytes()) / (lone_ms_ - small_ms_) * 1e3),
            .collective_start = std::llround(small_ms_ * picoseconds),
            .beside_percent = std::llround(100 * beside / std::max(beside - std::max(added, 0.0), beside / most_slowed)),
            .rested_percent = std::clamp<int64_t>(100 - std::llround(100 * saved / std::min(none, median(taken_["rests"]))), 0, 100)};
  }

  static inline int64_t rounds_ = 0;
  c10::intrusive_ptr<c10d::Store> store_;
  const sim::Seat& seat_;
  Projections layers_;
  RawNccl nccl_;
  TimedGroup group_;
  std::vector<at::Tensor> windows_;
  std::map<int64_t, std::unique_ptr<RingPasses>> rings_;
  std::map<std::string, std::vector<double>> taken_;
  int64_t tokens_ = 0, asked_ = 0;
  double lone_ms_ = 0, small_ms_ = 0;
};

void measure(benchmark::State& state, Passes& all, double ratio) {
  all.choose_tokens(ratio);
  for (auto _ : state) all.turn();
  all.take_apart(static_cast<int>(state.max_iterations));
  all.report(state);
  if (const std::string why = all.check(); !why.empty()) state.SkipWithError(why.c_str());
}

// Everything of one dtype and priority is made by its first benchmark, and gone with the next one's.
struct Way {
  const char* name;
  at::ScalarType type;
  double ratio;
  Sharing sharing;
};
// With fewer CTAs a broadcast is slower alone, with more the GEMMs are: 8 took 0.87 ms and 12 0.75, where 24 take 0.68.
constexpr Sharing left{.ctas = 12}, whole{}, whole_and_normal{.high_priority = false};
constexpr Way ways[] = {
    {"bf16/0.5", at::kBFloat16, 0.5, left},
    {"bf16/2", at::kBFloat16, 2, left},
    {"bf16/8", at::kBFloat16, 8, left},
    {"fp8/0.5", at::kFloat8_e4m3fn, 0.5, left},
    {"fp8/2", at::kFloat8_e4m3fn, 2, left},
    {"fp8/8", at::kFloat8_e4m3fn, 8, left},
    {"bf16/2/whole_gpu", at::kBFloat16, 2, whole},
    {"bf16/2/whole_gpu/normal_priority", at::kBFloat16, 2, whole_and_normal},
};

void add_all(const sim::Seat& seat) {
  static std::unique_ptr<Passes> current;
  static const Way* made = nullptr;
  for (const Way& way : ways)
    benchmark::RegisterBenchmark(fmt::format("series/{}", way.name).c_str(),
                                 [&](benchmark::State& state) {
                                   const bool fits = made && made->type == way.type && made->sharing == way.sharing;
                                   if (!fits) current.reset(), current = std::make_unique<Passes>(seat, way.type, way.sharing);
                                   made = &way;
                                   measure(state, *current, way.ratio);
                                 })
        ->Unit(benchmark::kMillisecond)
        ->Iterations(turns(way.ratio));
}

}  // namespace
}  // namespace reloadlab::bench

int main(int argc, char** argv) {
  using namespace reloadlab::bench;
  if (c10::cuda::device_count() < ranks) {
    fmt::print("needs {} GPUs; there are {} here\n", ranks, c10::cuda::device_count());
    return 0;
  }
  auto peers = std::make_unique<Peers>(ranks, argc, argv);
  at::globalContext().setBlasPreferredBackend(at::BlasBackend::Cublaslt);
  benchmark::Initialize(&argc, argv);
  const auto device = static_cast<c10::DeviceIndex>(peers->seat().rank);
  const c10::cuda::CUDAGuard guard(device);
  const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device));
  benchmark::AddCustomContext("device", at::cuda::getDeviceProperties(device)->name);
  add_all(peers->seat());
  benchmark::RunSpecifiedBenchmarks();
  peers.reset();
  std::fflush(stdout);
  ::_exit(0);  // communicators outlive what is destroyed at exit
}
