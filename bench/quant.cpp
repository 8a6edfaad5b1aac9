// What quantizing a weight costs: each method's post-load step beside the same arithmetic as plain ATen expressions, which allocate as
// they please. Times are per KiB of the weight in bf16.
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/round.h>

#include "bench/contest.h"
#include "reference/base/check.h"
#include "reference/model/layer.h"
#include "reference/model/post_load.h"

namespace reloadlab::bench {
namespace {

// How a method cuts a weight: boxes of rows × columns with a scale each (0: all), and what it rounds to.
struct Cut {
  const char* method;
  int64_t rows, columns;
  double largest;
  at::ScalarType result;
};
const Cut cuts[] = {{"fp8_per_tensor", 0, 0, 448, at::kFloat8_e4m3fn}, {"fp8_per_channel", 1, 0, 448, at::kFloat8_e4m3fn},
                    {"fp8_block", 128, 128, 448, at::kFloat8_e4m3fn},  {"int8_per_channel", 1, 0, 127, at::kChar},
                    {"int8_weight_only", 1, 0, 127.5, at::kChar},      {"int8_weight_only_g32", 1, 32, 127.5, at::kChar},
                    {"int4_weight_only_g32", 1, 32, 7.5, at::kChar},   {"int4_weight_only_g128", 1, 128, 7.5, at::kChar},
                    {"wna16_online_g32", 1, 32, 7.5, at::kChar},       {"wna16_online_g128", 1, 128, 7.5, at::kChar}};

at::Tensor expression(const at::Tensor& weight, const Cut& cut) {
  const int64_t rows = cut.rows ? cut.rows : weight.size(0), columns = cut.columns ? cut.columns : weight.size(1);
  const at::Tensor boxes = weight.to(at::kFloat).view({weight.size(0) / rows, rows, weight.size(1) / columns, columns});
  const at::Tensor scale = at::amax(boxes.abs(), {1, 3}, /*keepdim=*/true) / cut.largest;
  const at::Tensor scaled = (boxes / scale).clamp(-cut.largest, cut.largest);
  return (cut.result == at::kChar ? at::round(scaled) : scaled).to(cut.result);
}

model::ModelSpec one_linear(const Cut& cut, int64_t size) {
  model::LayerSpec spec{.name = "up", .kind = "column_parallel_linear", .dtype = DType::bf16, .quant = cut.method};
  spec.values = {{"in", size}, {"out", size}};
  model::fill_defaults(spec);
  return {.layers = {spec}};
}

void quantize(benchmark::State& state, const Cut& cut) {
  const int64_t size = tiny() ? 128 : 2048, kib = size * size * 2 / 1024;
  const std::unique_ptr<model::Model> model = model::build_model(one_linear(cut, size), {});
  const model::LayerPtr layer = model->find("up");
  const model::Parameter loaded = *layer->tensor("weight");
  loaded.tensor.normal_();
  Contest contest;
  contest.add({.name = "method",
               .loads = kib,
               .run = [&](size_t) { RELOADLAB_CHECK(layer->quant_method->process_weights_after_loading(*layer).ok(), cut.method); },
               .before = [&] { layer->assign("weight", std::make_shared<model::Parameter>(loaded)); }});
  contest.add({.name = "expression", .loads = kib, .run = [&](size_t) { benchmark::DoNotOptimize(expression(loaded.tensor, cut)); }});
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "method", "expression");
}

const bool registered = [] {
  for (const Cut& cut : cuts)
    benchmark::RegisterBenchmark(cut.method, [&cut](benchmark::State& state) { quantize(state, cut); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
}  // namespace reloadlab::bench

BENCHMARK_MAIN();
