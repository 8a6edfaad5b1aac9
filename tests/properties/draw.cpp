#include "tests/properties/draw.h"

#include <rapidcheck.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/sequence.h"

namespace reloadlab::sim {
namespace {

bool delivers_something(const model::ModelSpec& model) {
  return std::ranges::any_of(model.layers,
                             [](const model::LayerSpec& layer) { return !model::find_layer_kind(layer.kind)->deliveries(layer).empty(); });
}

// Routes of a custom loader view their source flat, as bytes, or take its memory for their own.
bool takes_any_layout(const model::ModelSpec& model) {
  return std::ranges::none_of(model.layers, [](const model::LayerSpec& layer) { return layer.kind == "custom_loader"; });
}

}  // namespace

LoadPlan draw_plan(const std::string& checkpoint) {
  LoadPlan plan{.checkpoint = checkpoint};
  plan.order = *rc::gen::element(OrderKind::listed, OrderKind::by_layer, OrderKind::reversed, OrderKind::shuffled, OrderKind::interleaved);
  if (plan.order == OrderKind::shuffled) plan.order_seed = *rc::gen::inRange<uint64_t>(0, 100);
  plan.chunk = *rc::gen::inRange<int64_t>(0, 4);
  plan.reuses = plan.chunk == 0 || *rc::gen::arbitrary<bool>();
  return plan;
}

// How what arrives lies in memory, and in which type: f64 holds every other one.
void draw_arrival(LoadPlan& plan) {
  using enum LoadPlan::Layout;
  plan.layout = *rc::gen::element(dense, strided, transposed, offset);
  if (*rc::gen::arbitrary<bool>()) plan.dtype = DType::f64;
}

void draw_duplicates(const Case& the_case, LoadPlan& plan) {
  for (const model::LayerSpec& layer : the_case.model.layers)
    for (const model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer))
      if (*rc::gen::inRange(0, 4) == 0) plan.repeat.push_back({delivery.name, *rc::gen::inRange<int64_t>(2, 4)});
}

int64_t load_calls(const Case& the_case, const LoadPlan& plan) {
  return static_cast<int64_t>(sequence(Catalogue(the_case.model), plan).size());
}

int64_t draw_abort(const Case& the_case, const LoadPlan& plan) {
  const int64_t calls = load_calls(the_case, plan);
  return *rc::gen::weightedOneOf<int64_t>({{4, rc::gen::inRange<int64_t>(0, calls + 1)}, {1, rc::gen::just(calls)}});
}

std::vector<Step> draw_two_sources(const Case& the_case, const std::string& one, const std::string& other) {
  std::vector<std::string> names, mine;
  for (const model::LayerSpec& layer : the_case.model.layers)
    for (const model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer)) names.push_back(delivery.name);
  for (const std::string& name : names)
    if (*rc::gen::arbitrary<bool>()) mine.push_back(name);
  if (mine.empty() || mine.size() == names.size()) RC_DISCARD("one source brings everything");
  LoadPlan first = draw_plan(one), second = draw_plan(other);
  first.only = mine;
  second.omit = mine;
  return {{.kind = StepKind::prepare},
          {.kind = StepKind::loads, .plan = first},
          {.kind = StepKind::loads, .plan = second},
          {.kind = StepKind::finish}};
}

Step load_of(const std::string& checkpoint) { return {.kind = StepKind::load, .plan = {.checkpoint = checkpoint}}; }
Step reload_with(LoadPlan plan) { return {.kind = StepKind::reload, .plan = std::move(plan)}; }

Case draw_case(Quantized quantized) {
  Case the_case{.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = "layerwise"};
  the_case.ranks = *rc::gen::inRange(1, 5);
  the_case.model.layers = draw_layers(the_case.ranks, quantized);
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {load_of("A"), reload_with(draw_plan("B")), reload_with(draw_plan("A"))};
  if (takes_any_layout(the_case.model))
    for (size_t step : {1, 2}) draw_arrival(the_case.steps[step].plan);
  const Status fits = model::check_model(the_case.model, the_case.ranks);
  if (!fits.ok()) RC_FAIL("draws a model that cannot be: " + fits.message());
  if (!delivers_something(the_case.model)) RC_DISCARD("no checkpoint brings anything");
  return the_case;
}

}  // namespace reloadlab::sim
