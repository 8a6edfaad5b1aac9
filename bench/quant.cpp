// What quantizing a weight costs: each method's post-load step beside the same arithmetic as plain ATen expressions, which allocate as
// they please. One thread. Times are per KiB of the weight in bf16, "B/s" is such bytes a second.
#include <ATen/Parallel.h>
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
  bool experts = false;
};
const Cut cuts[] = {{"fp8_per_tensor", 0, 0, 448, at::kFloat8_e4m3fn},
                    {"fp8_per_channel", 1, 0, 448, at::kFloat8_e4m3fn},
                    {"fp8_block", 128, 128, 448, at::kFloat8_e4m3fn},
                    {"int8_per_channel", 1, 0, 127, at::kChar},
                    {"int8_weight_only", 1, 0, 127.5, at::kChar},
                    {"int8_weight_only_g32", 1, 32, 127.5, at::kChar},
                    {"int4_weight_only_g32", 1, 32, 7.5, at::kChar},
                    {"int4_weight_only_g128", 1, 128, 7.5, at::kChar},
                    {"wna16_online_g32", 1, 32, 7.5, at::kChar},
                    {"wna16_online_g128", 1, 128, 7.5, at::kChar},
                    {"experts_fp8_per_tensor", 0, 0, 448, at::kFloat8_e4m3fn, true},
                    {"experts_fp8_block_w31", 128, 128, 448, at::kFloat8_e4m3fn, true},
                    {"experts_wna16_online_g32", 1, 32, 7.5, at::kChar, true}};

at::Tensor expression(const at::Tensor& weight, const Cut& cut) {
  const int64_t rows = cut.rows ? cut.rows : weight.size(-2), columns = cut.columns ? cut.columns : weight.size(-1);
  const at::Tensor boxes = weight.to(at::kFloat).view({-1, rows, weight.size(-1) / columns, columns});
  const at::Tensor scale = at::amax(boxes.abs(), {1, 3}, /*keepdim=*/true) / cut.largest;
  const at::Tensor scaled = (boxes / scale).clamp(-cut.largest, cut.largest);
  return (cut.result == at::kChar ? at::round(scaled) : scaled).to(cut.result);
}

// A linear layer of size × size, or eight experts of whom one stack has as many elements.
model::ModelSpec one_layer(const Cut& cut, int64_t size) {
  model::LayerSpec spec{.name = "up", .kind = "column_parallel_linear", .dtype = DType::bf16, .quant = cut.method};
  spec.values = {{"in", size}, {"out", size}};
  if (cut.experts) {
    spec.kind = "fused_experts";
    spec.values = {{"hidden", size / 4}, {"intermediate", size / 4}, {"experts", int64_t{8}}};
  }
  model::fill_defaults(spec);
  return {.layers = {spec}};
}

void quantize(benchmark::State& state, const Cut& cut) {
  at::set_num_threads(1);
  const std::unique_ptr<model::Model> model = model::build_model(one_layer(cut, tiny() ? 512 : 2048), {});
  const model::LayerPtr layer = model->find("up");
  std::vector<std::pair<std::string, model::Parameter>> loaded;
  int64_t kib = 0;
  model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
    slot.handle->tensor.normal_();
    loaded.emplace_back(slot.name, *slot.handle);
    kib += static_cast<int64_t>(slot.handle->tensor.nbytes()) / 1024;
  });
  Contest contest;
  contest.add({.name = "method",
               .loads = kib,
               .run = [&](size_t) { RELOADLAB_CHECK(layer->quant_method->process_weights_after_loading(*layer).ok(), cut.method); },
               .before =
                   [&] {
                     for (const auto& [name, parameter] : loaded) layer->assign(name, std::make_shared<model::Parameter>(parameter));
                   }});
  contest.add({.name = "expression", .loads = kib, .run = [&](size_t) {
                 for (const auto& [name, parameter] : loaded) benchmark::DoNotOptimize(expression(parameter.tensor, cut));
               }});
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "method", "expression");
  for (const char* name : {"method", "expression"})
    state.counters[std::string("B/s:") + name] = 1024e9 / state.counters[std::string("ns:") + name];
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
