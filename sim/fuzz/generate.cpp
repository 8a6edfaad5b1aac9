#include "sim/fuzz/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reference/base/check.h"
#include "reference/model/kind.h"
#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/draw_layers.h"
#include "sim/fuzz/draw_series.h"
#include "sim/fuzz/draw_steps.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

int draw_ranks(Choices& choices) {
  Choices::Scope about(choices, About::ranks);
  return choices.pick({1, 1, 1, 2, 2, 3, 4});
}

// Reloads of models: of layers of all kinds, or with some that are quantized.
Case draw_reloads(const std::string& system, Choices& choices) {
  Case the_case{.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = system};
  the_case.ranks = draw_ranks(choices);
  Drawing drawing{.choices = choices,
                  .swarm = Swarm::draw(choices, static_cast<uint32_t>(drawn_kinds().size())),
                  .ranks = the_case.ranks,
                  .unit = the_case.ranks == 3 ? 6 : 4,
                  .quantizes = system == "online_quant"};
  if (Swarm& swarm = drawing.swarm; swarm.dummy) {
    for (uint32_t& kind : swarm.kinds) kind = one_that_brings_all(kind);
    swarm.ties = swarm.views = swarm.readers = false;
  }
  the_case.model.layers = draw_layers(drawing);
  draw_steps(the_case, drawing);
  Choices::Scope about(choices, About::schedule);
  const uint32_t seed = choices.below(1000);
  if (!the_case.order_counts()) return the_case;
  the_case.world = WorldKind::sim;  // it has streams
  if (seed > 0) the_case.delays = seed;
  return the_case;
}

// What cases of a system are made of.
struct System {
  std::string name;
  Case (*draw)(const std::string& system, Choices& choices);
};
const System kSystems[] = {{"layerwise", draw_reloads}, {"online_quant", draw_reloads}, {"shared_series", draw_series}};

}  // namespace

Case draw_case(const std::string& system, Choices& choices, std::optional<WorldKind> on) {
  const auto* found = std::ranges::find(kSystems, system, &System::name);
  RELOADLAB_CHECK(found != std::end(kSystems), system);
  Case drawn = found->draw(system, choices);
  drawn.world = on.value_or(drawn.world);
  return drawn;
}

const std::vector<std::string>& drawn_systems() {
  static const std::vector<std::string> systems = [] {
    std::vector<std::string> names;
    for (const System& system : kSystems) names.push_back(system.name);
    return names;
  }();
  return systems;
}

Result<Case> generate(const std::string& system, Choices& choices, std::optional<WorldKind> on) {
  const Case drawn = draw_case(system, choices, on);
  const std::string text = emit(drawn);
  auto cases = parse_scenario(text, "drawn.yaml", {.known_laws = drawn.laws});
  if (!cases.ok()) return Status(Code::failed, fmt::format("a drawn case is no scenario: {}\n{}", cases.status().message(), text));
  return std::move(cases->front());
}

uint64_t seed_of(uint64_t campaign_seed, uint64_t index) { return mix64(mix64(campaign_seed) + index); }

namespace {

uint32_t print_of(const std::string& system) {
  constexpr uint64_t samples = 64;
  uint64_t print = hash_name(json_schema());
  for (uint64_t sample = 0; sample < samples; ++sample) {
    Choices choices(seed_of(0, sample));
    print = mix64(print ^ hash_name(emit(draw_case(system, choices))));
  }
  return static_cast<uint32_t>(print);
}

}  // namespace

// Worked out once: it takes as long as some cases do.
uint32_t generator_print(const std::string& system) {
  static std::map<std::string, uint32_t> known;
  const auto [print, fresh] = known.try_emplace(system, 0);
  if (fresh) print->second = print_of(system);
  return print->second;
}

}  // namespace reloadlab::sim::fuzz
