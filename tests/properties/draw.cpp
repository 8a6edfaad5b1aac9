#include "tests/properties/draw.h"

#include <rapidcheck.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "tests/properties/draw_layers.h"

namespace reloadlab::sim {
namespace {

bool delivers_something(const model::ModelSpec& model) {
  return std::ranges::any_of(model.layers,
                             [](const model::LayerSpec& layer) { return !model::find_layer_kind(layer.kind)->deliveries(layer).empty(); });
}

}  // namespace

LoadPlan draw_plan(const std::string& checkpoint) {
  LoadPlan plan{.checkpoint = checkpoint};
  plan.order = *rc::gen::element(OrderKind::listed, OrderKind::by_layer, OrderKind::reversed, OrderKind::shuffled, OrderKind::interleaved);
  if (plan.order == OrderKind::shuffled) plan.order_seed = *rc::gen::inRange<uint64_t>(0, 100);
  plan.chunk = *rc::gen::inRange<int64_t>(0, 4);
  return plan;
}

Step load_of(const std::string& checkpoint) { return {.kind = StepKind::load, .plan = {.checkpoint = checkpoint}}; }
Step reload_with(LoadPlan plan) { return {.kind = StepKind::reload, .plan = std::move(plan)}; }

Case draw_case() {
  Case the_case{.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = "layerwise"};
  the_case.model.layers = draw_layers();
  the_case.ranks = *rc::gen::inRange(1, 5);
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {load_of("A"), reload_with(draw_plan("B")), reload_with(draw_plan("A"))};
  const Status fits = model::check_model(the_case.model, the_case.ranks);
  if (!fits.ok()) RC_FAIL("draws a model that cannot be: " + fits.message());
  if (!delivers_something(the_case.model)) RC_DISCARD("no checkpoint brings anything");
  return the_case;
}

}  // namespace reloadlab::sim
