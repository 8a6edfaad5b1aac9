// How many whole cases a core judges a second: one layer, every default law, at least ten executions, evidence kept, candidate under
// the tap. Start-up is outside; the counter `executions` says how many one case was.
#include <benchmark/benchmark.h>

#include "reference/base/check.h"
#include "reference/model/kind.h"
#include "sim/candidate/candidate.h"
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

}  // namespace
}  // namespace reloadlab::sim

BENCHMARK_MAIN();
