#include "sim/fuzz/draw_steps.h"

#include <algorithm>

#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/draw_plan.h"

namespace reloadlab::sim::fuzz {
namespace {

bool may_start_from_dummy_weights(const model::ModelSpec& model) {
  return std::ranges::all_of(model.layers, [](const model::LayerSpec& layer) { return !layer.tied_to && brings_all_it_has(layer.kind); });
}

class StepDrawer {
 public:
  StepDrawer(Case& the_case, Drawing& drawing)
      : case_(the_case), d_(drawing), dummy_(drawing.swarm.dummy && may_start_from_dummy_weights(the_case.model)) {}

  void draw() {
    add({.kind = StepKind::load, .plan = {.checkpoint = "A", .direct = dummy_}});
    // As engines do, which run a model once before they offer it: what the first forward makes is there when the first update comes.
    if (d_.swarm.forwards) add({.kind = StepKind::forward});
    // What is no checkpoint is first replaced by one, whole.
    if (dummy_) add({.kind = StepKind::reload, .plan = draw_transport(case_, "B", d_)});
    constexpr int most = 5;
    for (int at = 0;; ++at) {
      Choices::Scope about(d_.choices, About::step);
      const bool more = d_.choices.chance(60, at < most);
      if (at > 0 && !more) break;
      draw_event();
      if (d_.choices.chance(50, d_.swarm.forwards)) add({.kind = StepKind::forward});
    }
    if (!updates()) add({.kind = StepKind::reload, .plan = {.checkpoint = "B"}});  // without any, no law has anything to judge
    if (d_.swarm.destroy) add({.kind = StepKind::destroy});
    name_checkpoints();
  }

 private:
  bool updates() const {
    return std::ranges::any_of(case_.steps, [](const Step& step) { return step.kind == StepKind::reload || step.kind == StepKind::loads; });
  }

  void add(Step step) { case_.steps.push_back(std::move(step)); }

  std::string other() { return d_.choices.pick({"B", "A", "C"}); }

  void draw_event() {
    const uint32_t which = d_.choices.below(10);
    if (which == 9 && d_.swarm.sleeps) return draw_sleep();
    if (which == 8 && d_.swarm.misuse) return draw_misuse();
    if (which == 7 && d_.swarm.buckets) return draw_buckets();
    if (which >= 5 && which <= 6 && d_.swarm.faults) return draw_broken();
    if (which >= 3 && which <= 4 && d_.swarm.aborts) return draw_given_up();
    add({.kind = StepKind::reload, .plan = draw_plan(case_, other(), d_)});
  }

  void draw_given_up() {
    LoadPlan plan = draw_plan(case_, other(), d_);
    const int64_t after = d_.choices.between(0, load_calls(case_, plan));
    add({.kind = StepKind::reload, .plan = std::move(plan), .abort_after = after});
    draw_again();
  }

  void draw_broken() {
    LoadPlan plan = draw_transport(case_, other(), d_);
    const Fault fault = draw_fault(case_, plan, d_);
    add({.kind = StepKind::reload, .plan = std::move(plan), .fault = fault, .outcome = Step::Outcome::error});
    draw_again();
  }

  void draw_again() {
    if (d_.choices.flip()) add({.kind = StepKind::retry});
  }

  // One update in two parts, of one checkpoint or of two, after which something may be missing.
  void draw_buckets() {
    const std::vector<std::string> some = draw_some(names_of(case_.model), d_.choices);
    LoadPlan first = draw_transport(case_, other(), d_), second = draw_transport(case_, other(), d_);
    const bool whole = !d_.choices.chance(30, d_.swarm.partial);
    first.only = some;
    second.omit = some;
    add({.kind = StepKind::prepare});
    add({.kind = StepKind::loads, .plan = std::move(first)});
    if (whole && !some.empty()) add({.kind = StepKind::loads, .plan = std::move(second)});
    add({.kind = StepKind::finish});
  }

  // One call at the wrong time, which must be refused.
  void draw_misuse() {
    const LoadPlan whole = draw_transport(case_, other(), d_);
    const Step prepare{.kind = StepKind::prepare}, finish{.kind = StepKind::finish}, abort{.kind = StepKind::abort};
    const Step reload{.kind = StepKind::reload, .plan = whole}, loads{.kind = StepKind::loads, .plan = whole};
    const auto refused = [&](Step step) {
      step.outcome = Step::Outcome::error;
      add(std::move(step));
    };
    switch (d_.choices.below(5)) {
      case 0:
        return refused(finish);
      case 1:
        return refused(loads);
      case 2:
        return add(prepare), refused(prepare), add(abort);
      case 3:
        return add(reload), refused(finish);
      default:
        return add(reload), refused(loads);
    }
  }

  void draw_sleep() {
    const bool loses = d_.choices.flip();
    add({.kind = StepKind::sleep, .level = loses ? 2 : 1});
    add({.kind = StepKind::wake});
    const LoadPlan whole = draw_transport(case_, other(), d_);
    if (loses) add({.kind = StepKind::reload, .plan = whole});
  }

  void name_checkpoints() {
    for (const auto& [name, seed] : {std::pair{"A", 1}, {"B", 2}, {"C", 3}})
      if (std::ranges::any_of(case_.steps, [&](const Step& step) { return step.plan.checkpoint == name; }))
        case_.checkpoints.push_back({name, {.seed = static_cast<uint64_t>(seed)}});
  }

  Case& case_;
  Drawing& d_;
  const bool dummy_;
};

}  // namespace

void draw_steps(Case& the_case, Drawing& drawing) { StepDrawer(the_case, drawing).draw(); }

}  // namespace reloadlab::sim::fuzz
