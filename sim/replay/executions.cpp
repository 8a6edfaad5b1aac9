#include "sim/replay/executions.h"

#include <algorithm>

#include "reference/base/prng.h"
#include "sim/checkpoint/checkpoint.h"
#include "sim/law/law.h"

namespace reloadlab::sim {
namespace {

constexpr int extra_reloads = 4;
enum class Order { reversed, shuffled, batches, count };
constexpr int64_t batch_loads = 2;

bool delivers(const Step& step) {
  return step.kind == StepKind::load || step.kind == StepKind::reload || step.kind == StepKind::loads || step.kind == StepKind::retry;
}

bool updates(const Step& step) { return step.kind == StepKind::reload || step.kind == StepKind::loads; }

// Steps that are meant to go through from the first to the last.
bool all_succeed(const std::vector<Step>& steps) {
  return std::all_of(steps.begin(), steps.end(), [](const Step& step) {
    return step.outcome == Step::Outcome::ok && !step.fault && !step.abort_after && step.kind != StepKind::abort;
  });
}

bool has(const std::vector<Step>& steps, StepKind kind) {
  return std::any_of(steps.begin(), steps.end(), [&](const Step& step) { return step.kind == kind; });
}

// An update is under way when the steps are over.
bool left_open(const std::vector<Step>& steps) {
  bool open = false;
  for (const Step& step : steps) {
    if (step.kind == StepKind::prepare) open = true;
    if (step.kind == StepKind::reload || step.kind == StepKind::retry || step.kind == StepKind::finish) open = false;
  }
  return open;
}

std::vector<Step> reordered(std::vector<Step> steps, Order which, uint64_t seed) {
  for (Step& step : steps) {
    if (!updates(step)) continue;
    switch (which) {
      case Order::reversed:
        step.plan.order = OrderKind::reversed;
        break;
      case Order::shuffled:
        step.plan.order = OrderKind::shuffled;
        step.plan.order_seed = seed + 1;
        break;
      case Order::batches:
        step.plan.batch = batch_loads;
        break;
      case Order::count:
        break;
    }
  }
  return steps;
}

std::vector<Step> faulted(std::vector<Step> steps, const std::optional<Fault>& fault) {
  const int struck = fault_step(steps);
  steps.resize(static_cast<size_t>(struck) + 1);
  Step again = steps.back();
  again.kind = StepKind::retry;
  steps.back().fault = fault;
  steps.back().outcome = Step::Outcome::unspecified;
  steps.push_back(std::move(again));
  return steps;
}

std::vector<std::string> checkpoint_names(const std::vector<Step>& steps) {
  std::vector<std::string> names;
  for (const Step& step : steps)
    if (delivers(step) && std::find(names.begin(), names.end(), step.plan.checkpoint) == names.end()) names.push_back(step.plan.checkpoint);
  return names;
}

std::vector<std::string> loaded_cold(const Planned& planned) {
  std::vector<std::string> names = checkpoint_names(planned.warm);
  for (const RankPlan& rank : planned.ranks)
    for (const RankPlan::Mixture& mixture : rank.mixtures)
      if (std::find(names.begin(), names.end(), mixture.name) == names.end()) names.push_back(mixture.name);
  return names;
}

std::vector<Step> extended(std::vector<Step> steps, int count) {
  const std::vector<std::string> names = checkpoint_names(steps);
  for (int i = 0; i < count; ++i) {
    Step more{.kind = StepKind::reload};
    more.plan.checkpoint = names[static_cast<size_t>(i) % names.size()];
    steps.push_back(std::move(more));
  }
  steps.push_back({.kind = StepKind::destroy});
  return steps;
}

// What graphs read of a fresh model, of every size that the steps capture.
void add_graphs(const std::vector<Step>& warm, std::vector<Step>& cold) {
  Step capture{.kind = StepKind::capture};
  for (const Step& step : warm)
    for (const int64_t size : step.kind == StepKind::capture ? step.graphs.sizes : std::vector<int64_t>())
      if (std::ranges::find(capture.graphs.sizes, size) == capture.graphs.sizes.end()) capture.graphs.sizes.push_back(size);
  if (capture.graphs.sizes.empty()) return;
  cold.push_back(std::move(capture));
  cold.push_back({.kind = StepKind::replay});
}

void add_faults(const Case& the_case, const Chances& chances, std::vector<Variation>& out) {
  Prng prng = Prng(the_case.seed).split("fault");
  auto add = [&](Fault::At at, int64_t count) {
    if (count == 0) return;
    Fault fault{at, static_cast<int64_t>(prng.below(static_cast<uint64_t>(count)))};
    out.push_back({.kind = Variation::Kind::fault, .index = static_cast<int>(out.size()), .fault = fault});
  };
  add(Fault::At::loader, chances.loader);
  add(Fault::At::post_load_enter, chances.post_load_enter);
  add(Fault::At::post_load_middle, chances.post_load_middle);
  add(Fault::At::copy_back, chances.copy_back);
  add(Fault::At::source, chances.source);
}

}  // namespace

int fault_step(const std::vector<Step>& warm) {
  for (size_t i = warm.size(); i > 0; --i)
    if (warm[i - 1].kind == StepKind::reload && all_succeed({warm.begin(), warm.begin() + static_cast<std::ptrdiff_t>(i)}))
      return static_cast<int>(i) - 1;
  return -1;
}

Kinds needed_variations(const Case& the_case) {
  Kinds needed;
  for (const LawInfo& law : laws())
    if (is_judged(law, the_case)) needed.insert(law.needs.begin(), law.needs.end());
  // With series the laws of updates at rest have what is beside the windows, and look at the case's own steps.
  if (!the_case.series.empty()) std::erase_if(needed, [](Variation::Kind kind) { return kind != Variation::Kind::cold; });
  return needed;
}

std::vector<Step> steps_of(const Variation& variation, const Case& the_case, const std::vector<Step>& warm) {
  using Kind = Variation::Kind;
  switch (variation.kind) {
    case Kind::cold: {
      Step load{.kind = StepKind::load};
      load.plan.checkpoint = variation.name;
      std::vector<Step> steps{load};
      if (has(warm, StepKind::forward)) steps.push_back({.kind = StepKind::forward});
      if (the_case.series.empty()) add_graphs(warm, steps);
      return steps;
    }
    case Kind::order:
      return all_succeed(warm) ? reordered(warm, static_cast<Order>(variation.index), the_case.seed) : std::vector<Step>();
    case Kind::fault:
      return faulted(warm, variation.fault);
    case Kind::repeat:
      return all_succeed(warm) && !has(warm, StepKind::destroy) && !left_open(warm) ? extended(warm, variation.index) : std::vector<Step>();
    case Kind::warm:
    case Kind::poison:
    case Kind::digit:
    case Kind::again:
      break;
  }
  return warm;
}

std::vector<Variation> variations(const Kinds& needed, const Case& the_case, const Catalogue& catalogue, const Planned& planned,
                                  const Chances& chances) {
  using Kind = Variation::Kind;
  const std::vector<Step>& warm = planned.warm;
  std::vector<Variation> all;
  const bool bytes = the_case.world != WorldKind::meta;
  if (needed.contains(Kind::poison) && bytes) all.push_back({.kind = Kind::poison, .index = 1});
  if (needed.contains(Kind::cold) && bytes)
    for (const std::string& name : loaded_cold(planned))
      for (int poison : {0, 1}) all.push_back({.kind = Kind::cold, .name = name, .index = poison});
  if (needed.contains(Kind::digit) && bytes)
    for (int plane = 0; plane < digit_planes(catalogue.deliveries()); ++plane) all.push_back({.kind = Kind::digit, .index = plane});
  if (needed.contains(Kind::order) && std::ranges::none_of(planned.ranks, &RankPlan::order_matters))
    for (int which = 0; which < static_cast<int>(Order::count); ++which) all.push_back({.kind = Kind::order, .index = which});
  if (needed.contains(Kind::fault) && fault_step(warm) >= 0) {
    std::vector<Variation> faults;
    add_faults(the_case, chances, faults);
    all.insert(all.end(), faults.begin(), faults.end());
  }
  if (needed.contains(Kind::repeat)) all.push_back({.kind = Kind::repeat, .index = extra_reloads});
  return all;
}

}  // namespace reloadlab::sim
