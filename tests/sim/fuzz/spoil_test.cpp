#include "sim/fuzz/spoil.h"

#include <gtest/gtest.h>

#include "sim/fuzz/generate.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim::fuzz {
namespace {

// Each of them, of each system: no file is a scenario any more, and each is told with its place.
TEST(Spoil, LeavesNoScenarioAndEachIsRefusedWithItsPlace) {
  for (const std::string& system : drawn_systems())
    for (uint64_t which = 0; which < spoils(); ++which) {
      Choices choices(seed_of(1, which));
      const Result<Case> drawn = generate(system, choices);
      ASSERT_TRUE(drawn.ok());
      const std::string text = spoiled(emit(*drawn), which);
      EXPECT_NE(text, emit(*drawn));
      const auto cases = parse_scenario(text, "drawn.yaml", {.known_laws = drawn->laws});
      ASSERT_FALSE(cases.ok()) << text;
      EXPECT_EQ(cases.status().code(), Code::data) << cases.status().message();
      EXPECT_TRUE(cases.status().message().starts_with("drawn.yaml:")) << cases.status().message();
    }
}

TEST(Spoil, OfADrawnCaseIsRefusedWhateverTheSeed) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Choices choices(seed_of(2, seed));
    EXPECT_EQ(misread(*generate("layerwise", choices), seed), "");
  }
}

TEST(Spoil, FromNowhereIsACaseWhoseCheckpointsAreNoFiles) {
  Choices choices(seed_of(3, 0));
  const Case spoiled_case = from_nowhere(*generate("layerwise", choices));
  ASSERT_FALSE(spoiled_case.checkpoints.empty());
  for (const auto& [name, checkpoint] : spoiled_case.checkpoints) EXPECT_EQ(checkpoint.source, CheckpointSpec::Source::safetensors);
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
