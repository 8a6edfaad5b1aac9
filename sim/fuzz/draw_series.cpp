#include "sim/fuzz/draw_series.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/draw_passes.h"

namespace reloadlab::sim::fuzz {
namespace {

class SeriesDrawer {
 public:
  explicit SeriesDrawer(Choices& choices) : choices_(choices) {}

  Case draw(const std::string& system) {
    case_ = {.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = system, .world = WorldKind::sim};
    case_.tensor_parallel = 1;
    draw_ranks();
    ring_ = Ring::draw(choices_);
    const Place place = draw_place();
    const Layer layer = draw_layer();
    draw_schedules();
    draw_layers(layer);
    draw_ring(place);
    draw_timing();
    draw_passes(case_, ring_, choices_);
    return std::move(case_);
  }

 private:
  struct Place {
    uint32_t first, prefetch;
    bool from_second;  // the first rank has no part in the series
  };
  // What all layers of the series are like.
  struct Layer {
    uint32_t kind;
    int64_t in, out;
    bool bias;
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

  Layer draw_layer() {
    Choices::Scope about(choices_, About::parameter);
    const uint32_t kind = choices_.below(3);
    return {ring_.kinds ? kind : 0, 4, choices_.pick({4, 4, 8}), choices_.chance(30, ring_.kinds)};
  }

  // Others than the one in which everybody takes turns.
  void draw_schedules() {
    Choices::Scope about(choices_, About::schedule);
    const uint32_t seed = choices_.below(1 << 10);
    if (seed > 0) case_.delays = seed;
  }

  void add_linear(const std::string& name, const Layer& like, const std::string& quant) {
    Values values{{"in", like.in}, {"out", like.out}, {"bias", like.bias}};
    const char* kind = "replicated_linear";
    if (like.kind == 1) {
      kind = "column_parallel_linear";
      values["out"] = like.out - 1, values["pad_rows_to"] = like.out, values["pad_value"] = 0.5;
    } else if (like.kind == 2) {
      kind = "qkv_parallel_linear";
      values = {{"hidden", like.in}, {"heads", int64_t{2}}, {"head_dim", like.out / 2}, {"bias", like.bias}};
    }
    model::LayerSpec spec = layer_of(name, kind, std::move(values));
    spec.dtype = DType::f32, spec.quant = quant;
    case_.model.layers.push_back(std::move(spec));
  }

  // The last one may be unlike the others, which no window fits.
  void draw_layers(Layer like) {
    const std::string quant = ring_.quantized && like.kind == 0 ? "fp8_per_tensor" : "none";
    constexpr int most = 8;
    for (int at = 0;; ++at) {
      Choices::Scope about(choices_, About::layer);
      const bool more = choices_.chance(75, at < most);
      if (at > 0 && !more) break;
      if (choices_.chance(50, ring_.others)) add_linear(fmt::format("b.{}.up", at), {0, 4, 4, false}, "none");
      layers_.push_back(fmt::format("b.{}.o", at));
      add_linear(layers_.back(), like, quant);
    }
    if (ring_.refused != Ring::Refused::shapes || layers_.size() < 2) return;
    case_.model.layers.pop_back();
    like.out *= 2;
    add_linear(layers_.back(), like, quant);
  }

  void draw_ring(const Place& place) {
    const auto count = static_cast<int64_t>(layers_.size());
    SeriesSpec series{.name = "o", .layers = layers_};
    series.first = std::array<int64_t, 5>{0, 1, count - 1, count, 31}[place.first];
    series.prefetch = place.prefetch % std::max<int64_t>(1, count - 1);
    if (ring_.refused == Ring::Refused::look_ahead) series.prefetch = std::max<int64_t>(1, count - 1) + place.prefetch;
    for (int64_t at = 0; ring_.refused == Ring::Refused::indices && count > 1 && at < count; ++at)
      series.indices.push_back(series.first + at + (at + 1 == count ? 1 : 0));
    for (int64_t rank = 1; place.from_second && case_.ranks > 2 && rank < case_.ranks; ++rank) series.ranks.push_back(rank);
    case_.series = {std::move(series)};
  }

  void draw_timing() {
    Choices::Scope about(choices_, About::order);
    Timing timing{.broadcast = choices_.between(1, 20), .before = {choices_.between(0, 10)}, .after = {choices_.between(0, 10)}};
    if (ring_.timed) case_.timing = timing;
  }

  Choices& choices_;
  Ring ring_;
  Case case_;
  std::vector<std::string> layers_;
};

}  // namespace

Ring Ring::draw(Choices& choices) {
  Choices::Scope about(choices, About::swarm);
  Ring ring;
  uint32_t question = 0;
  for (bool Ring::*each :
       {&Ring::others, &Ring::quantized, &Ring::streams, &Ring::stops, &Ring::strays, &Ring::reloads, &Ring::in_place, &Ring::syncs,
        &Ring::readers, &Ring::timed, &Ring::some_ranks, &Ring::kinds, &Ring::drains, &Ring::graphs, &Ring::wrong, &Ring::layerwise})
    ring.*each = choices.weighed_chance(40, question++);
  const bool refused = choices.weighed_chance(15, question++);
  const uint32_t how = choices.weighed_below(4, question);
  if (refused) ring.refused = static_cast<Refused>(how + 1);
  return ring;
}

Case draw_series(const std::string& system, Choices& choices) { return SeriesDrawer(choices).draw(system); }

}  // namespace reloadlab::sim::fuzz
