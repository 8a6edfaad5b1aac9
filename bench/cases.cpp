// How many whole cases a core judges a second: one layer, every default law, at least ten executions, evidence kept, candidate under
// the tap. Start-up is outside; the counter `executions` says how many one case was. And drawn cases, as `fuzz` plays them, the drawing
// included: those of one layer that nothing quantizes, and whatever comes. And schedules of a ring.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "reference/base/check.h"
#include "reference/model/kind.h"
#include "sim/campaign/scheduled.h"
#include "sim/candidate/candidate.h"
#include "sim/fuzz/generate.h"
#include "sim/fuzz/observe.h"
#include "sim/law/law.h"
#include "sim/replay/replay.h"

namespace reloadlab::sim {
namespace {

Step step(StepKind kind, const std::string& checkpoint) {
  Step result{.kind = kind};
  result.plan.checkpoint = checkpoint;
  return result;
}

Case single_layer(const std::string& quant) {
  Case the_case{.scenario = "single-layer", .system = "layerwise"};
  model::LayerSpec layer{.name = "qkv", .kind = "qkv_parallel_linear", .quant = quant};
  layer.values = {{"hidden", int64_t{16}}, {"heads", int64_t{4}}, {"kv_heads", int64_t{2}}};
  model::fill_defaults(layer);
  the_case.model.layers = {layer};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {step(StepKind::load, "A"), step(StepKind::reload, "B"), step(StepKind::reload, "A")};
  return the_case;
}

void judge_cases(benchmark::State& state, const std::string& candidate, const std::string& quant) {
  (void)built_in_engine();  // which sets the process up as the program's
  const Case the_case = single_layer(quant);
  const Result<CandidateInfo> info = find_candidate(candidate);
  RELOADLAB_CHECK(info.ok(), info.status().message());
  size_t executions = 0;
  for (auto _ : state) {
    const Result<Evidence> evidence = replay(the_case, *info);
    RELOADLAB_CHECK(evidence.ok(), evidence.status().message());
    executions = evidence->executions.size();
    benchmark::DoNotOptimize(judge(*evidence));
  }
  state.counters["executions"] = static_cast<double>(executions);
  state.counters["cases"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(judge_cases, hardened, "layerwise@hardened", "none");
BENCHMARK_CAPTURE(judge_cases, hardened_post_load, "layerwise@hardened", "tile_permute");
BENCHMARK_CAPTURE(judge_cases, seed, "layerwise@seed", "none");

// The answers of so many drawn cases.
std::vector<fuzz::Answers> drawn(const std::string& system, bool small) {
  constexpr size_t cases = 64;
  std::vector<fuzz::Answers> all;
  for (uint64_t index = 0; all.size() < cases; ++index) {
    fuzz::Choices choices(fuzz::seed_of(1, index));
    const Result<Case> one = fuzz::generate(system, choices);
    RELOADLAB_CHECK(one.ok(), one.status().message());
    const auto& layers = one->model.layers;
    if (!small || (layers.size() == 1 && layers[0].quant == "none" && one->ranks == 1)) all.push_back(choices.answers());
  }
  return all;
}

void play_drawn(benchmark::State& state, const std::string& system, const std::string& candidate, bool small) {
  const Engine engine = built_in_engine();
  const std::vector<fuzz::Answers> answers = drawn(system, small);
  size_t next = 0;
  for (auto _ : state) {
    fuzz::Choices choices(answers[next++ % answers.size()]);
    const fuzz::Observation seen = fuzz::observe(fuzz::draw_case(system, choices), candidate, engine);
    RELOADLAB_CHECK(seen.end == End::judged && seen.failed.empty(), seen.reason);
  }
  state.counters["cases"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(play_drawn, single_layers, "layerwise", "layerwise@hardened", true);
BENCHMARK_CAPTURE(play_drawn, layerwise, "layerwise", "layerwise@hardened", false);
BENCHMARK_CAPTURE(play_drawn, online_quant, "online_quant", "online_quant@hardened", false);
BENCHMARK_CAPTURE(play_drawn, shared_series, "shared_series", "shared_series@hardened", false)->MeasureProcessCPUTime();

// Passes of a ring of five layers on two ranks under other schedules than turns, each pass in an order of its own, and all of them judged
// by all laws. A run is a load and four passes. Ranks are threads, so that what counts is the time of all.
void ring_schedules(benchmark::State& state, Schedules schedules) {
  built_in_engine();  // sets this process up
  Case the_case{.scenario = "ring", .system = "shared_series", .world = WorldKind::sim, .ranks = 2, .tensor_parallel = 1};
  SeriesSpec series{.name = "o", .prefetch = 1};
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    model::LayerSpec layer{.name = name, .kind = "replicated_linear", .values = {{"in", int64_t{4}}, {"out", int64_t{4}}}};
    model::fill_defaults(layer);
    the_case.model.layers.push_back(std::move(layer));
    series.layers.emplace_back(name);
  }
  the_case.series = {series};
  the_case.checkpoints = {{"A", {.seed = 1}}};
  constexpr int passes = 4;
  the_case.steps = {step(StepKind::load, "A")};
  the_case.steps.resize(1 + passes, step(StepKind::pass, ""));
  the_case.delays = 3;
  const Result<CandidateInfo> candidate = find_candidate("shared_series@hardened");
  for (auto _ : state) {
    Result<Evidence> in_turns = replay(the_case, *candidate);
    const Result<Evidence> played = play_schedules(the_case, *candidate, {}, *std::move(in_turns), schedules);
    RELOADLAB_CHECK(std::ranges::none_of(judge(*played), [](const Verdict& verdict) { return verdict.outcome == Outcome::fail; }),
                    "passes");
  }
  const auto runs = static_cast<double>(state.iterations() * (1 + schedules.random + schedules.pct));
  state.counters["runs"] = benchmark::Counter(runs, benchmark::Counter::kIsRate);
  state.counters["schedules"] = benchmark::Counter(runs * passes, benchmark::Counter::kIsRate);
}

// The one in turns, and so many more.
BENCHMARK_CAPTURE(ring_schedules, random, Schedules{.random = 8, .pct = 0, .every_one = 0})->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(ring_schedules, pct, Schedules{.random = 0, .pct = 8, .every_one = 0})->MeasureProcessCPUTime();

}  // namespace
}  // namespace reloadlab::sim

BENCHMARK_MAIN();
