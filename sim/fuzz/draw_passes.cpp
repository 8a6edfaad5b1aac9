#include "sim/fuzz/draw_passes.h"

#include <algorithm>

#include "sim/fuzz/draw_plan.h"

namespace reloadlab::sim::fuzz {
namespace {

class PassDrawer {
 public:
  PassDrawer(Case& the_case, const Ring& ring, Choices& choices)
      : case_(the_case), ring_(ring), choices_(choices), layers_(the_case.series[0].layers) {}

  void draw() {
    if (refuses_all()) {
      draw_refused();
    } else {
      add({.kind = StepKind::load, .plan = {.checkpoint = "A"}});
      draw_events();
      add({.kind = StepKind::pass});
    }
    for (const auto& [name, seed] : {std::pair{"A", 1}, {"B", 2}})
      if (std::ranges::any_of(case_.steps, [&](const Step& step) { return step.plan.checkpoint == name; }))
        case_.checkpoints.push_back({name, {.seed = static_cast<uint64_t>(seed)}});
  }

 private:
  // One layer has no other one to be unlike.
  bool refuses_all() const {
    return ring_.refused == Ring::Refused::look_ahead || (ring_.refused != Ring::Refused::nothing && layers_.size() > 1);
  }

  void draw_refused() {
    Step load{.kind = StepKind::load, .plan = {.checkpoint = "A"}, .outcome = Step::Outcome::error};
    if (ring_.refused == Ring::Refused::part) load.plan.omit = {names_of_layer(draw_layer()).front()};
    add(std::move(load));
    if (ring_.refused != Ring::Refused::part) add({.kind = StepKind::pass, .outcome = Step::Outcome::error});
    case_.laws = {"rank_agreement"};  // of what was never there nothing else can be said
  }

  void draw_events() {
    constexpr int most = 5;
    for (int at = 0;; ++at) {
      Choices::Scope about(choices_, About::step);
      const bool more = choices_.chance(65, at < most);
      if (at > 0 && !more) return;
      draw_event();
    }
  }

  void draw_event() {
    switch (choices_.below(14)) {
      case 3:
        if (ring_.syncs) return add({.kind = StepKind::host_sync});
        break;
      case 4:
      case 5:
        if (ring_.reloads) return draw_reload();
        break;
      case 6:
        if (ring_.strays) return draw_astray();
        break;
      case 7:
        if (ring_.stops) return draw_stopped();
        break;
      case 8:
        if (ring_.drains) return add({.kind = StepKind::drain});
        break;
      case 9:
      case 10:
        if (ring_.graphs) return draw_graph();
        break;
      case 11:
        if (ring_.wrong) return draw_wrong();
        break;
      case 12:
        if (ring_.layerwise) return draw_layerwise();
        break;
      default:
        break;
    }
    add(draw_pass());
  }

  void add(Step step) { case_.steps.push_back(std::move(step)); }
  std::string draw_layer() { return choices_.pick(layers_); }

  std::vector<std::string> names_of_layer(const std::string& name) const {
    return names_of(*std::ranges::find(case_.model.layers, name, &model::LayerSpec::name));
  }

  Step draw_pass() {
    Choices::Scope about(choices_, About::order);
    Step step{.kind = StepKind::pass};
    const auto stream = choices_.pick({Pass::Stream::current, Pass::Stream::joined, Pass::Stream::unjoined});
    if (ring_.streams) step.pass.stream = stream;
    const std::string layer = draw_layer();
    if (choices_.chance(50, ring_.readers)) step.pass.deviations = {{Deviation::second_reader, layer}};
    return step;
  }

  // What is beside the series is not its own to bring.
  Step reload_to(const std::string& checkpoint) const {
    Step step{.kind = StepKind::reload, .plan = {.checkpoint = checkpoint}};
    for (const std::string& layer : layers_)
      for (std::string& name : names_of_layer(layer)) step.plan.only.push_back(std::move(name));
    return step;
  }

  void draw_reload() {
    Step step = reload_to(choices_.pick({"B", "A"}));
    step.in_place = choices_.chance(50, ring_.in_place);
    if (step.in_place) step.plan.only.clear();  // nothing is delivered
    add(std::move(step));
  }

  // A tensor that its owner's loader cannot take: everybody refuses it.
  void draw_wrong() {
    Step step = reload_to(choices_.pick({"B", "A"}));
    step.plan.wrong = {{.tensor = names_of_layer(draw_layer()).front(), .shape = Shape{2, 3}, .dtype = {}}};
    step.outcome = Step::Outcome::error;
    add(std::move(step));
    add({.kind = StepKind::reset});
  }

  // Nothing but the series itself may bring its layers new weights.
  void draw_layerwise() {
    case_.record = Record::after_registration;
    add({.kind = StepKind::reload,
         .plan = {.checkpoint = choices_.pick({"B", "A"})},
         .outcome = Step::Outcome::error,
         .via = Via::layerwise});
  }

  // A pass that ends early, and the series begins anew.
  void draw_stopped() {
    Step step = draw_pass();
    step.pass.deviations = {{Deviation::until, draw_layer()}};
    add(std::move(step));
    add({.kind = StepKind::reset});
  }

  // A graph of a pass, with new weights before it is replayed or without. Where the windows do not divide the layers it is refused.
  void draw_graph() {
    const bool again = choices_.flip(), reloads = choices_.chance(50, ring_.reloads);
    const auto windows = static_cast<size_t>(case_.series[0].prefetch) + 1;
    if (layers_.size() % windows != 0) {
      add({.kind = StepKind::capture, .outcome = Step::Outcome::error});
      return add({.kind = StepKind::reset});
    }
    if (!captured_ || again) add({.kind = StepKind::capture});
    captured_ = true;
    if (reloads) draw_reload();
    add({.kind = StepKind::drain});
    add({.kind = StepKind::replay});
  }

  // A pass that must be refused: on every rank, before anything is issued.
  void draw_astray() {
    const uint32_t which = choices_.below(4), at = choices_.below(static_cast<uint32_t>(layers_.size()));
    const bool last = at + 1 == layers_.size();
    const auto deviation = std::array{Deviation::skip, Deviation::reach_twice, Deviation::swap, Deviation::unreached}[which];
    // Nothing follows the last one; and where it is the only one, it is next again and stays where it is.
    if ((deviation == Deviation::swap && last) || (layers_.size() == 1 && deviation != Deviation::skip)) return add(draw_pass());
    Step step{.kind = StepKind::pass, .outcome = Step::Outcome::error};
    step.pass.deviations = {{deviation, layers_[at]}};
    // A pass without its last layer is only found out by the next one.
    if (deviation == Deviation::skip && last) step.outcome = Step::Outcome::ok;
    // As a graph it ends while it is being captured, and what it had issued never comes; nor is the graph before it there any more.
    if (choices_.chance(30, ring_.graphs && step.outcome == Step::Outcome::error)) {
      step.kind = StepKind::capture;
      captured_ = false;
    }
    add(std::move(step));
    add({.kind = StepKind::reset});
  }

  Case& case_;
  const Ring& ring_;
  Choices& choices_;
  const std::vector<std::string> layers_;
  bool captured_ = false;
};

}  // namespace

void draw_passes(Case& the_case, const Ring& ring, Choices& choices) { PassDrawer(the_case, ring, choices).draw(); }

}  // namespace reloadlab::sim::fuzz
