#include "tests/sim/scenario/same_case.h"

#include <fmt/format.h>

namespace reloadlab::sim {
namespace {

bool same(const CheckpointSpec& a, const CheckpointSpec& b) {
  return a.source == b.source && a.seed == b.seed && a.path == b.path && a.map == b.map && a.base == b.base;
}

template <class T, class Same>
bool same_list(const std::vector<T>& a, const std::vector<T>& b, Same&& same_item) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!same_item(a[i], b[i])) return false;
  return true;
}

bool same(const LoadPlan& a, const LoadPlan& b) {
  auto repeat = [](const LoadPlan::Repeat& x, const LoadPlan::Repeat& y) { return x.tensor == y.tensor && x.times == y.times; };
  auto wrong = [](const LoadPlan::Wrong& x, const LoadPlan::Wrong& y) {
    return x.tensor == y.tensor && x.shape == y.shape && x.dtype == y.dtype;
  };
  return a.checkpoint == b.checkpoint && a.order == b.order && a.order_seed == b.order_seed && a.order_list == b.order_list &&
         a.chunk == b.chunk && a.reuses == b.reuses && a.direct == b.direct && a.dtype == b.dtype && a.layout == b.layout &&
         a.source == b.source && a.handle == b.handle && a.batch == b.batch && same_list(a.repeat, b.repeat, repeat) && a.only == b.only &&
         a.omit == b.omit && a.excess == b.excess && a.unknown == b.unknown && same_list(a.wrong, b.wrong, wrong) && a.resolve == b.resolve;
}

bool same(const std::optional<Fault>& a, const std::optional<Fault>& b) {
  return a.has_value() == b.has_value() && (!a || (a->at == b->at && a->nth == b->nth));
}

bool same(const Step& a, const Step& b) {
  return a.kind == b.kind && same(a.plan, b.plan) && same(a.fault, b.fault) && a.abort_after == b.abort_after &&
         a.default_dtype == b.default_dtype && a.outcome == b.outcome && a.times == b.times &&
         same_list(a.body, b.body, [](const Step& x, const Step& y) { return same(x, y); });
}

bool same(const model::LayerSpec& a, const model::LayerSpec& b) {
  return a.name == b.name && a.kind == b.kind && a.dtype == b.dtype && a.quant == b.quant && a.tied_to == b.tied_to && a.values == b.values;
}

bool same(const Requires& a, const Requires& b) {
  return a.gpus == b.gpus && a.vram_gib == b.vram_gib && a.capability == b.capability && a.features == b.features;
}

}  // namespace

std::string difference(const Case& a, const Case& b) {
  if (a.scenario != b.scenario) return fmt::format("scenario {} and {}", a.scenario, b.scenario);
  if (a.variant != b.variant) return fmt::format("variant {} and {}", a.variant, b.variant);
  if (a.about != b.about || a.system != b.system || a.tags != b.tags || !same(a.needs, b.needs)) return "head";
  if (a.world != b.world || a.ranks != b.ranks || a.allocator != b.allocator || a.delays != b.delays) return "world";
  if (a.model.architecture != b.model.architecture || a.model.values != b.model.values || a.model.dtype != b.model.dtype)
    return "architecture";
  if (a.model.flags != b.model.flags) return "flags";
  if (!same_list(a.model.layers, b.model.layers, [](const auto& x, const auto& y) { return same(x, y); })) return "layers";
  if (!same_list(a.checkpoints, b.checkpoints, [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); }))
    return "checkpoints";
  if (a.record != b.record) return "record";
  if (a.steps.size() != b.steps.size()) return fmt::format("{} and {} steps", a.steps.size(), b.steps.size());
  for (size_t i = 0; i < a.steps.size(); ++i)
    if (!same(a.steps[i], b.steps[i])) return fmt::format("step {}", i);
  if (a.laws != b.laws || a.expect.completed != b.expect.completed || a.limits.extra_bytes != b.limits.extra_bytes) return "expectations";
  return a.seed == b.seed ? "" : "seed";
}

}  // namespace reloadlab::sim
