#include "sim/fuzz/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reference/base/check.h"
#include "reference/model/kind.h"
#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/draw_layers.h"
#include "sim/fuzz/draw_steps.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

int draw_ranks(Choices& choices) {
  Choices::Scope about(choices, About::ranks);
  return choices.pick({1, 1, 1, 2, 2, 3, 4});
}

Case draw(const std::string& system, Choices& choices) {
  Case the_case{.scenario = "drawn", .file = "drawn.yaml", .about = "A drawn case.", .system = system};
  the_case.ranks = draw_ranks(choices);
  Drawing drawing{.choices = choices,
                  .swarm = Swarm::draw(choices, static_cast<uint32_t>(drawn_kinds().size())),
                  .ranks = the_case.ranks,
                  .unit = the_case.ranks == 3 ? 6 : 4};
  the_case.model.layers = draw_layers(drawing);
  draw_steps(the_case, drawing);
  return the_case;
}

}  // namespace

const std::vector<std::string>& drawn_systems() {
  static const std::vector<std::string> systems{"layerwise"};
  return systems;
}

Result<Case> generate(const std::string& system, Choices& choices) {
  RELOADLAB_CHECK(std::ranges::count(drawn_systems(), system) == 1, system);
  const std::string text = emit(draw(system, choices));
  auto cases = parse_scenario(text, "drawn.yaml", {});
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
    print = mix64(print ^ hash_name(emit(draw(system, choices))));
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
