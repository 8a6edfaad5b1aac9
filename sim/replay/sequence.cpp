#include "sim/replay/sequence.h"

#include <fnmatch.h>

#include <algorithm>

#include "reference/base/prng.h"
#include "sim/replay/laid.h"

namespace reloadlab::sim {
namespace {

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return glob_match(pattern, name); });
}

std::vector<int> kept(const Catalogue& catalogue, const LoadPlan& plan) {
  std::vector<int> order;
  for (size_t i = 0; i < catalogue.deliveries().size(); ++i) {
    const std::string& name = catalogue.deliveries()[i].name;
    if (!plan.only.empty() && !matches_any(plan.only, name)) continue;
    if (!matches_any(plan.omit, name)) order.push_back(static_cast<int>(i));
  }
  return order;
}

// One delivery of each layer in turn, as files that hold one tensor kind each would give them.
std::vector<int> interleaved(const Catalogue& catalogue, const std::vector<int>& order) {
  std::vector<std::vector<int>> by_layer(static_cast<size_t>(catalogue.layer_count()));
  for (int delivery : order) by_layer[static_cast<size_t>(catalogue.layer_of(delivery))].push_back(delivery);
  std::vector<int> result;
  for (size_t round = 0; result.size() < order.size(); ++round)
    for (const auto& deliveries : by_layer)
      if (round < deliveries.size()) result.push_back(deliveries[round]);
  return result;
}

std::vector<int> explicit_order(const Catalogue& catalogue, const std::vector<std::string>& names, const std::vector<int>& keep) {
  std::vector<int> result;
  for (const std::string& name : names) {
    int delivery = catalogue.find_delivery(name);
    if (std::find(keep.begin(), keep.end(), delivery) != keep.end()) result.push_back(delivery);
  }
  return result;
}

std::vector<int> ordered(const Catalogue& catalogue, const LoadPlan& plan) {
  std::vector<int> order = kept(catalogue, plan);
  switch (plan.order) {
    case OrderKind::listed:
      break;
    case OrderKind::by_layer:
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return catalogue.layer_of(a) < catalogue.layer_of(b); });
      break;
    case OrderKind::reversed:
      std::reverse(order.begin(), order.end());
      break;
    case OrderKind::shuffled:
      Prng(plan.order_seed).split("order").shuffle(order);
      break;
    case OrderKind::interleaved:
      return interleaved(catalogue, order);
    case OrderKind::explicit_list:
      return explicit_order(catalogue, plan.order_list, order);
  }
  return order;
}

Sent sent(const Catalogue& catalogue, const LoadPlan& plan, int delivery) {
  Sent result{.delivery = delivery, .dtype = plan.dtype, .layout = plan.layout};
  for (const LoadPlan::Wrong& wrong : plan.wrong) {
    if (!glob_match(wrong.tensor, catalogue.deliveries()[static_cast<size_t>(delivery)].name)) continue;
    result.wrong_shape = wrong.shape;
    result.wrong_dtype = wrong.dtype;
  }
  return result;
}

int64_t times(const LoadPlan& plan, const std::string& name) {
  for (const LoadPlan::Repeat& repeat : plan.repeat)
    if (glob_match(repeat.tensor, name)) return repeat.times;
  return 1;
}

}  // namespace

Shape Sent::shape_of(const model::Delivery& content) const { return wrong_shape.value_or(content.shape); }

DType Sent::dtype_of(const model::Delivery& content) const {
  if (wrong_dtype) return *wrong_dtype;
  return dtype && is_floating(content.dtype) ? *dtype : content.dtype;
}

int64_t Sent::bytes_of(const model::Delivery& content) const {
  return Laid(shape_of(content), layout).span * dtype_size(dtype_of(content));
}

bool glob_match(const std::string& pattern, const std::string& name) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }

std::vector<Sent> sequence(const Catalogue& catalogue, const LoadPlan& plan) {
  std::vector<Sent> result;
  for (int delivery : ordered(catalogue, plan)) {
    int64_t count = times(plan, catalogue.deliveries()[static_cast<size_t>(delivery)].name);
    for (int64_t i = 0; i < count; ++i) result.push_back(sent(catalogue, plan, delivery));
  }
  for (const std::string& pattern : plan.excess)
    for (size_t i = 0; i < catalogue.deliveries().size(); ++i)
      if (glob_match(pattern, catalogue.deliveries()[i].name)) result.push_back(sent(catalogue, plan, static_cast<int>(i)));
  for (const std::string& name : plan.unknown) result.push_back({.unknown = name});
  const bool handles = plan.source == LoadPlan::Source::ipc;  // without chunks, one for each tensor
  if (plan.chunk > 0 || handles)
    for (size_t i = 0; i < result.size(); ++i) result[i].chunk = static_cast<int>(i) / std::max(static_cast<int>(plan.chunk), 1);
  return result;
}

}  // namespace reloadlab::sim
