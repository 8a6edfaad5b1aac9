#include "tests/sim/replay/tiny_case.h"

#include "reference/model/kind.h"

namespace reloadlab::sim {

model::LayerSpec qkv_layer(const std::string& name) {
  model::LayerSpec spec{.name = name, .kind = "qkv_parallel_linear"};
  spec.values = {{"hidden", int64_t{16}}, {"heads", int64_t{4}}, {"kv_heads", int64_t{2}}};
  model::fill_defaults(spec);
  return spec;
}

model::LayerSpec linear_layer(const std::string& name, const std::string& quant) {
  model::LayerSpec spec{.name = name, .kind = "column_parallel_linear", .quant = quant};
  spec.values = {{"in", int64_t{8}}, {"out", int64_t{12}}};
  model::fill_defaults(spec);
  return spec;
}

Step load_step(const std::string& checkpoint) {
  Step step{.kind = StepKind::load};
  step.plan.checkpoint = checkpoint;
  return step;
}

Step reload_step(const std::string& checkpoint) {
  Step step = load_step(checkpoint);
  step.kind = StepKind::reload;
  return step;
}

Case tiny_case(std::vector<model::LayerSpec> layers, int ranks) {
  Case the_case{.scenario = "tiny", .system = "layerwise", .ranks = ranks};
  the_case.model.layers = std::move(layers);
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {load_step("A"), reload_step("B"), reload_step("A")};
  return the_case;
}

}  // namespace reloadlab::sim
