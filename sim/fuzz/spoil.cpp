#include "sim/fuzz/spoil.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "reference/base/check.h"
#include "reference/base/prng.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

// The first of a text in every drawn file, and what stands there instead.
struct Spoil {
  std::string_view there, instead;
};
constexpr Spoil kSpoils[] = {
    {"reloadlab: 1", "reloadlab: 2"},             // another version
    {"\ncheckpoints:", "\nchekpoints:"},          // a key that does not exist
    {"\nsteps:", "\nsteps: 3\nsteps:"},           // a key twice, once as a number
    {"\nsystem: ", "\nsystem: un"},               // a system that nobody has
    {"kind: ", "kind: no_such_"},                 // a world or a kind of layer, the first that is named
    {"ranks: ", "ranks: 99999999999999999999"},   // more than any number
    {"ranks: ", "ranks: -"},                      // fewer than none
    {"world: {", "world: {{"},                    // what ends nowhere
    {"\nmodel:", "\nmodel: &m\n  <<: *m\nold:"},  // a map in itself
    {"\nabout:", "\nabout: \xff\xfe\nnote:"},     // no text
    {"{synthetic: ", "{synthetic: minus "},       // a word for a number
    {"\n  - ", "\n  - {}\n  - "},                 // an entry that is nothing
    {"load: ", "load: {}\n    lod: "},            // a step of two kinds, one unknown
};

}  // namespace

uint64_t spoils() { return std::size(kSpoils); }

std::string spoiled(std::string text, uint64_t which) {
  const Spoil& spoil = kSpoils[which % std::size(kSpoils)];
  const size_t at = text.find(spoil.there);
  RELOADLAB_CHECK(at != std::string::npos, fmt::format("every drawn file has \"{}\"", spoil.there));
  return text.replace(at, spoil.there.size(), spoil.instead);
}

std::string misread(const Case& the_case, uint64_t seed) {
  const std::string wrong = spoiled(emit(the_case), mix64(seed));
  const Result<std::vector<Case>> cases = parse_scenario(wrong, "drawn.yaml", {.known_laws = the_case.laws});
  if (cases.ok()) return "taken for a scenario, expected a refusal\n" + wrong;
  if (cases.status().code() == Code::data && cases.status().message().starts_with("drawn.yaml:")) return {};
  return fmt::format("refused without its place: {}\n{}", cases.status().message(), wrong);
}

Case from_nowhere(Case the_case) {
  for (auto& [name, checkpoint] : the_case.checkpoints) {
    checkpoint.source = CheckpointSpec::Source::safetensors;
    checkpoint.path = "/nowhere/drawn.safetensors";
  }
  return the_case;
}

}  // namespace reloadlab::sim::fuzz
