#include "sim/fuzz/draw_plan.h"

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/fuzz/fault_places.h"

namespace reloadlab::sim::fuzz {
namespace {

// Routes of a custom loader view their source flat, as bytes, or take its memory for their own.
bool takes_any_layout(const model::ModelSpec& model) {
  return std::ranges::none_of(model.layers, [](const model::LayerSpec& layer) { return layer.kind == "custom_loader"; });
}

void draw_names(const std::vector<std::string>& names, LoadPlan& plan, Drawing& d) {
  if (d.choices.chance(50, d.swarm.partial)) {
    const bool only = d.choices.flip();
    (only ? plan.only : plan.omit) = draw_some(names, d.choices);
  }
  const auto left_out = [&](const std::string& name) {
    return std::ranges::count(plan.omit, name) > 0 || (!plan.only.empty() && std::ranges::count(plan.only, name) == 0);
  };
  for (int more = 2; more > 0 && d.choices.chance(50, d.swarm.duplicates); --more) {
    const std::string name = d.choices.pick(names);
    const int64_t times = d.choices.between(2, 3);
    if (!left_out(name) && std::ranges::count(plan.repeat, name, &LoadPlan::Repeat::tensor) == 0) plan.repeat.push_back({name, times});
  }
  if (d.choices.chance(50, d.swarm.excess))
    if (const std::string name = d.choices.pick(names); !left_out(name)) plan.excess = {name};
  if (d.choices.chance(50, d.swarm.unknown)) plan.unknown = {"nobody.knows.weight"};
}

}  // namespace

std::vector<std::string> names_of(const model::LayerSpec& layer) {
  std::vector<std::string> names;
  for (model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer)) names.push_back(std::move(delivery.name));
  return names;
}

std::vector<std::string> names_of(const model::ModelSpec& model) {
  std::vector<std::string> names;
  for (const model::LayerSpec& layer : model.layers)
    for (std::string& name : names_of(layer)) names.push_back(std::move(name));
  return names;
}

std::vector<std::string> draw_some(const std::vector<std::string>& names, Choices& choices) {
  // One choice whatever the names are, so that what follows keeps its own when a layer goes.
  constexpr uint32_t bits = 12;
  const uint32_t mask = choices.below(1U << bits);
  std::vector<std::string> some;
  for (size_t i = 0; i < names.size(); ++i)
    if ((mask >> (i % bits) & 1U) != 0) some.push_back(names[i]);
  if (names.size() < 2) return {};
  if (some.empty()) return {names.front()};
  if (some.size() == names.size()) some.pop_back();
  return some;
}

LoadPlan draw_transport(const Case& the_case, const std::string& checkpoint, Drawing& d) {
  LoadPlan plan{.checkpoint = checkpoint};
  Choices::Scope about(d.choices, About::order);
  const auto order =
      d.choices.pick({OrderKind::listed, OrderKind::by_layer, OrderKind::reversed, OrderKind::interleaved, OrderKind::shuffled});
  const uint32_t seed = d.choices.below(100), chunk = d.choices.below(4), batch = d.choices.below(4), layout = d.choices.below(4);
  const bool own_buffers = d.choices.flip(), streamed = d.choices.flip();
  if (d.swarm.orders) plan.order = order;
  if (plan.order == OrderKind::shuffled) plan.order_seed = seed;
  if (d.swarm.chunks) plan.chunk = chunk;
  plan.reuses = plan.chunk == 0 || !own_buffers;
  if (d.swarm.batches) plan.batch = batch;
  if (d.swarm.streams && streamed) plan.source = LoadPlan::Source::stream;
  const bool any_layout = takes_any_layout(the_case.model);
  using enum LoadPlan::Layout;
  if (d.swarm.layouts && any_layout) plan.layout = std::array{dense, strided, transposed, offset}[layout];
  if (d.choices.chance(50, d.swarm.types) && any_layout) plan.dtype = DType::f64;  // which holds every other one
  return plan;
}

LoadPlan draw_plan(const Case& the_case, const std::string& checkpoint, Drawing& d) {
  LoadPlan plan = draw_transport(the_case, checkpoint, d);
  Choices::Scope about(d.choices, About::load);
  draw_names(names_of(the_case.model), plan, d);
  return plan;
}

int64_t load_calls(const Case& the_case, const LoadPlan& plan) {
  auto calls = static_cast<int64_t>(plan.excess.size() + plan.unknown.size());
  for (const std::string& name : names_of(the_case.model)) {
    if ((!plan.only.empty() && std::ranges::count(plan.only, name) == 0) || std::ranges::count(plan.omit, name) > 0) continue;
    const auto repeat = std::ranges::find(plan.repeat, name, &LoadPlan::Repeat::tensor);
    calls += repeat == plan.repeat.end() ? 1 : repeat->times;
  }
  return calls;
}

Fault draw_fault(const Case& the_case, const LoadPlan& plan, Drawing& d) {
  const std::vector<std::pair<Fault::At, int64_t>> places = fault_places(the_case, load_calls(the_case, plan));
  Choices::Scope about(d.choices, About::load);
  const auto [at, most] = d.choices.pick(places);
  return {.at = at, .nth = d.choices.between(0, most - 1)};
}

}  // namespace reloadlab::sim::fuzz
