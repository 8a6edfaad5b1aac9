#include "sim/fuzz/draw_series.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/fuzz/draw_kinds.h"

namespace reloadlab::sim::fuzz {
namespace {

// What takes part at all.
struct Ring {
  bool others = false, quantized = false, streams = false, stops = false, strays = false, reloads = false, in_place = false, syncs = false,
       readers = false, timed = false, some_ranks = false;

  static Ring draw(Choices& choices) {
    Choices::Scope about(choices, About::swarm);
    Ring ring;
    for (bool Ring::*each : {&Ring::others, &Ring::quantized, &Ring::streams, &Ring::stops, &Ring::strays, &Ring::reloads, &Ring::in_place,
                             &Ring::syncs, &Ring::readers, &Ring::timed, &Ring::some_ranks})
      ring.*each = choices.chance(40);
    return ring;
  }
};

class SeriesDrawer {
 public:
  explicit SeriesDrawer(Choices& choices) : choices_(choices) {}

  Case draw(const std::string& system) {
    case_ = {.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = system, .world = WorldKind::sim};
    case_.tensor_parallel = 1;
    draw_ranks();
    ring_ = Ring::draw(choices_);
    const Place place = draw_place();
    draw_layers();
    draw_ring(place);
    draw_timing();
    draw_steps();
    return std::move(case_);
  }

 private:
  struct Place {
    uint32_t first, prefetch;
    bool from_second;  // the first rank has no part in the series
  };

  void draw_ranks() {
    Choices::Scope about(choices_, About::ranks);
    case_.ranks = choices_.pick({2, 2, 2, 1, 3, 4, 5});
  }

  Place draw_place() {
    Choices::Scope about(choices_, About::size);
    const uint32_t first = choices_.below(5), prefetch = choices_.below(8);
    return {first, prefetch, choices_.chance(50, ring_.some_ranks)};
  }

  void add_linear(const std::string& name, const std::string& quant) {
    model::LayerSpec spec = layer_of(name, "replicated_linear", {{"in", int64_t{4}}, {"out", int64_t{4}}});
    spec.dtype = DType::f32, spec.quant = quant;
    case_.model.layers.push_back(std::move(spec));
  }

  void draw_layers() {
    const std::string quant = ring_.quantized ? "fp8_per_tensor" : "none";
    constexpr int most = 8;
    for (int at = 0;; ++at) {
      Choices::Scope about(choices_, About::layer);
      const bool more = choices_.chance(75, at < most);
      if (at > 0 && !more) return;
      if (choices_.chance(50, ring_.others)) add_linear(fmt::format("b.{}.up", at), "none");
      layers_.push_back(fmt::format("b.{}.o", at));
      add_linear(layers_.back(), quant);
    }
  }

  void draw_ring(const Place& place) {
    const auto count = static_cast<int64_t>(layers_.size());
    SeriesSpec series{.name = "o", .layers = layers_};
    series.first = std::array<int64_t, 5>{0, 1, count - 1, count, 31}[place.first];
    series.prefetch = place.prefetch % std::max<int64_t>(1, count - 1);
    for (int64_t rank = 1; place.from_second && case_.ranks > 2 && rank < case_.ranks; ++rank) series.ranks.push_back(rank);
    case_.series = {std::move(series)};
  }

  void draw_timing() {
    Choices::Scope about(choices_, About::order);
    Timing timing{.broadcast = choices_.between(1, 20), .before = {choices_.between(0, 10)}, .after = {choices_.between(0, 10)}};
    if (ring_.timed) case_.timing = timing;
  }

  void draw_steps() {
    add({.kind = StepKind::load, .plan = {.checkpoint = "A"}});
    constexpr int most = 5;
    for (int at = 0;; ++at) {
      Choices::Scope about(choices_, About::step);
      const bool more = choices_.chance(65, at < most);
      if (at > 0 && !more) break;
      draw_event();
    }
    add({.kind = StepKind::pass});
    for (const auto& [name, seed] : {std::pair{"A", 1}, {"B", 2}})
      if (std::ranges::any_of(case_.steps, [&](const Step& step) { return step.plan.checkpoint == name; }))
        case_.checkpoints.push_back({name, {.seed = static_cast<uint64_t>(seed)}});
  }

  void draw_event() {
    const uint32_t which = choices_.below(8);
    if (which == 7 && ring_.stops) return draw_stopped();
    if (which == 6 && ring_.strays) return draw_astray();
    if (which >= 4 && which <= 5 && ring_.reloads) return draw_reload();
    if (which == 3 && ring_.syncs) return add({.kind = StepKind::host_sync});
    add(draw_pass());
  }

  void add(Step step) { case_.steps.push_back(std::move(step)); }
  std::string draw_layer() { return choices_.pick(layers_); }

  Step draw_pass() {
    Choices::Scope about(choices_, About::order);
    Step step{.kind = StepKind::pass};
    const auto stream = choices_.pick({Pass::Stream::current, Pass::Stream::joined, Pass::Stream::unjoined});
    if (ring_.streams) step.pass.stream = stream;
    const std::string layer = draw_layer();
    if (choices_.chance(50, ring_.readers)) step.pass.deviations = {{Deviation::second_reader, layer}};
    return step;
  }

  void draw_reload() {
    const std::string to = choices_.pick({"B", "A"});
    Step step{.kind = StepKind::reload, .plan = {.checkpoint = to}, .in_place = choices_.chance(50, ring_.in_place)};
    for (const std::string& layer : layers_)  // in place nothing is delivered
      if (!step.in_place) step.plan.only.push_back(layer + ".weight");
    add(std::move(step));
  }

  // A pass that ends early, and the series begins anew.
  void draw_stopped() {
    Step step = draw_pass();
    step.pass.deviations = {{Deviation::until, draw_layer()}};
    add(std::move(step));
    add({.kind = StepKind::reset});
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
    add(std::move(step));
    add({.kind = StepKind::reset});
  }

  Choices& choices_;
  Ring ring_;
  Case case_;
  std::vector<std::string> layers_;
};

}  // namespace

Case draw_series(const std::string& system, Choices& choices) { return SeriesDrawer(choices).draw(system); }

}  // namespace reloadlab::sim::fuzz
