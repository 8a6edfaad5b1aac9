// What quantizing a weight costs: each method's post-load step beside the same arithmetic as plain ATen expressions. One thread. Times are
// per KiB of the weight in bf16, "B/s" is such bytes a second. A method of the registry that has no row here makes the program fail.
#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <algorithm>

#include "bench/contest.h"
#include "bench/quant_expressions.h"
#include "reference/base/check.h"
#include "reference/model/layer.h"
#include "reference/model/post_load.h"

namespace reloadlab::bench {
namespace {

// A linear layer of size × size, or eight experts of whom one stack has as many elements.
model::LayerSpec linear(int64_t size) { return {.kind = "column_parallel_linear", .values = {{"in", size}, {"out", size}}}; }
model::LayerSpec experts(int64_t size) {
  return {.kind = "fused_experts", .values = {{"hidden", size / 4}, {"intermediate", size / 4}, {"experts", int64_t{8}}}};
}
model::LayerSpec packed_linear(int64_t size) {
  return {.kind = "packed_column_parallel_linear", .values = {{"in", size}, {"outs", Shape{size}}}};
}
model::LayerSpec packed_experts(int64_t size) {
  model::LayerSpec spec = experts(size);
  spec.values["packed"] = true;
  return spec;
}
model::LayerSpec scaled_experts(int64_t size) {
  model::LayerSpec spec = experts(size);
  spec.dtype = DType::e4m3;
  spec.values["scales"] = std::string("tensor");
  return spec;
}
model::LayerSpec scaled_parts(int64_t size) {
  return {.kind = "scaled_column_parallel_linear",
          .dtype = DType::e4m3,
          .values = {{"in", size}, {"outs", Shape{size / 2, size / 2}}, {"scales", std::string("tensor")}}};
}
// Padding is all that there is to do.
model::LayerSpec scaled_blocks(int64_t size) {
  return {.kind = "scaled_column_parallel_linear",
          .dtype = DType::e4m3,
          .values = {{"in", size - 64}, {"outs", Shape{size - 64}}, {"scales", std::string("block")}}};
}

struct Row {
  const char* method;
  model::LayerSpec (*layer)(int64_t size);
  Expression expression;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"tile_permute", linear, interleaved_rows},
      {"row_table", linear, reversed_rows},
      {"fp8_per_tensor", linear, symmetric({0, 0, 448, at::kFloat8_e4m3fn})},
      {"fp8_per_channel", linear, symmetric({1, 0, 448, at::kFloat8_e4m3fn})},
      {"fp8_block", linear, symmetric({128, 128, 448, at::kFloat8_e4m3fn})},
      {"int8_per_channel", linear, symmetric({1, 0, 127, at::kChar})},
      {"int8_weight_only", linear, torchao_int8(0)},
      {"int8_weight_only_g32", linear, torchao_int8(32)},
      {"int4_weight_only_g32", linear, torchao_int4(32)},
      {"int4_weight_only_g64", linear, torchao_int4(64)},
      {"int4_weight_only_g128", linear, torchao_int4(128)},
      {"wna16", packed_linear, packed_again},
      {"wna16_online_g32", linear, groups_with_zero_points(32)},
      {"wna16_online_g128", linear, groups_with_zero_points(128)},
      {"loaded_fp8_per_tensor", scaled_parts, largest_scale_of_parts},
      {"loaded_fp8_block", scaled_blocks, padded_to_blocks},
      {"experts_fp8_per_tensor", experts, symmetric_experts({0, 0, 448, at::kFloat8_e4m3fn}, false)},
      {"experts_fp8_block", experts, symmetric_experts({128, 128, 448, at::kFloat8_e4m3fn}, false)},
      {"experts_fp8_per_tensor_w31", experts, symmetric_experts({0, 0, 448, at::kFloat8_e4m3fn}, true)},
      {"experts_fp8_block_w31", experts, symmetric_experts({128, 128, 448, at::kFloat8_e4m3fn}, true)},
      {"experts_w31", experts, exchanged_halves},
      {"loaded_experts_fp8_per_tensor", scaled_experts, larger_scale_of_halves},
      {"experts_wna16", packed_experts, packed_experts_again},
      {"experts_wna16_online_g32", experts, expert_groups_with_zero_points(32)},
      {"experts_wna16_online_g128", experts, expert_groups_with_zero_points(128)},
  };
  return all;
}

// Methods that are defects on purpose have no cost that anybody would want, and those that only rename a weight, copy it, or make a
// kernel object beside it compute nothing.
bool computes(std::string_view id) {
  return id != "none" && !id.starts_with("drifting") && !id.starts_with("renamed") && !id.starts_with("kernel_") && id != "fills_cache";
}

std::string methods_without_row() {
  std::string missing;
  for (const model::QuantInfo& method : model::quant_methods())
    if (computes(method.id) && std::ranges::none_of(rows(), [&](const Row& row) { return row.method == method.id; }))
      missing.append(" ").append(method.id);
  return missing;
}

model::ModelSpec one_layer(const Row& row, int64_t size) {
  model::LayerSpec spec = row.layer(size);
  spec.name = "up";
  spec.quant = row.method;
  model::fill_defaults(spec);
  const model::ModelSpec model{.layers = {spec}};
  const Status fits = model::check_model(model, 1);
  RELOADLAB_CHECK(fits.ok(), fits.message());
  return model;
}

void fill(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kInt)
    tensor.random_();
  else if (tensor.scalar_type() == at::kFloat)  // scales
    tensor.uniform_(0.5, 1.5);
  else
    tensor.copy_(at::randn(tensor.sizes()));
}

// Of the weights in bf16, packed or not.
int64_t kib_of(const Loaded& loaded) {
  int64_t elements = 0;
  for (const auto& [slot, tensor] : loaded) {
    if (slot.ends_with("weight")) elements += tensor.numel();
    if (slot.ends_with("_packed")) elements += tensor.numel() * 8;
  }
  return elements * 2 / 1024;
}

// What the expression makes stands for what the method made, or is it.
void compare(const Row& row, const model::Layer& layer, const Outcomes& outcomes) {
  for (const Outcome& outcome : outcomes) {
    const bool codes = outcome.scale.defined();
    const at::Tensor made = codes ? layer.quant_method->compute_value(layer, outcome.slot) : layer.tensor(outcome.slot)->tensor;
    const at::Tensor expected = codes ? value_of(outcome).view(made.sizes()) : outcome.tensor;
    const auto bytes = [](const at::Tensor& tensor) { return tensor.contiguous().flatten().view(at::kByte); };
    RELOADLAB_CHECK(made.scalar_type() == expected.scalar_type() && made.sizes() == expected.sizes() && bytes(made).equal(bytes(expected)),
                    fmt::format("{}: the expression makes another {}", row.method, outcome.slot));
  }
}

void quantize(benchmark::State& state, const Row& row) {
  at::set_num_threads(1);
  const std::unique_ptr<model::Model> model = model::build_model(one_layer(row, tiny() ? 512 : 2048), {});
  const model::LayerPtr layer = model->find("up");
  std::vector<std::pair<std::string, model::Parameter>> parameters;
  Loaded loaded;
  model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
    fill(slot.handle->tensor);
    parameters.emplace_back(slot.name, *slot.handle);
    loaded.emplace(slot.name, slot.handle->tensor);
  });
  const auto method = [&](size_t) { RELOADLAB_CHECK(layer->quant_method->process_weights_after_loading(*layer).ok(), row.method); };
  const auto load_again = [&] {
    for (const auto& [name, parameter] : parameters) layer->assign(name, std::make_shared<model::Parameter>(parameter));
  };
  method(0);
  compare(row, *layer, row.expression(loaded));
  Contest contest;
  const int64_t kib = kib_of(loaded);
  contest.add({.name = "method", .loads = kib, .run = method, .before = load_again});
  contest.add({.name = "expression", .loads = kib, .run = [&](size_t) { benchmark::DoNotOptimize(row.expression(loaded)); }});
  for (auto _ : state) contest.pass(state);
  contest.report(state);
  contest.report_ratio(state, "method", "expression");
  for (const char* name : {"method", "expression"})
    state.counters[std::string("B/s:") + name] = 1024e9 / state.counters[std::string("ns:") + name];
}

}  // namespace
}  // namespace reloadlab::bench

int main(int argc, char** argv) {
  using namespace reloadlab::bench;
  if (const std::string missing = methods_without_row(); !missing.empty()) {
    fmt::print(stderr, "methods without a row in bench/quant.cpp:{}\n", missing);
    return 1;
  }
  for (const Row& row : rows())
    benchmark::RegisterBenchmark(row.method, [&row](benchmark::State& state) { quantize(state, row); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
