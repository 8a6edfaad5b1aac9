#include "sim/compare/compare.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/sim/compare/evidence_pair.h"

namespace reloadlab::sim {
namespace {

constexpr const char* scenario = R"(
reloadlab: 1
scenario: pair
about: Two layers.
system: shared_series
world: {kind: sim, ranks: [1, 2]}
model:
  layers:
    - {name: "layer.{0..1}", kind: replicated_linear, in: 4, out: 4}
series:
  - {name: o, layers: "layer.{0..1}", prefetch: 0}
checkpoints: {A: {synthetic: 1}}
steps:
  - load: A
  - pass: {}
)";

// An engine that plays nothing: what each world says is given.
class Comparing : public testing::Test {
 protected:
  Comparing() {
    std::ofstream(file) << scenario;
    options.selection.paths = {file};
    options.selection.ranks = 1;
    engine.candidate = [](const std::string& name) -> Result<EngineCandidate> { return EngineCandidate{name, "shared_series"}; };
    engine.default_candidates = [](const std::string&) { return std::vector<std::string>{"some@one"}; };
    engine.lacks = [](const Case& one) { return one.world == WorldKind::cuda ? lacking : std::string(); };
    engine.replay = [this](const Case& one, const std::string&, const EngineOptions& how) -> Result<Evidence> {
      asked.push_back({one.world, how});
      return one.world == WorldKind::cuda ? cuda : evidence_in(one.world);
    };
  }
  Compared compared() {
    std::vector<Compared> told;
    const Status status = compare_worlds(options, engine, [&](const Compared& one) { told.push_back(one); });
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(told.size(), 1u);
    return told.empty() ? Compared{} : told.front();
  }

  struct Asked {
    WorldKind world;
    EngineOptions how;
  };
  const std::string file = testing::TempDir() + "pair.yaml";
  static inline std::string lacking;
  Result<Evidence> cuda = evidence_in(WorldKind::cuda);
  std::vector<Asked> asked;
  CompareOptions options;
  Engine engine;
};

TEST_F(Comparing, BothWorldsTakeTimesAndTheModelledOneHasRates) {
  options.rates = modelled::Rates{.beside_percent = 118};
  const Compared one = compared();
  EXPECT_EQ(one.id, "pair[ranks=1]");
  EXPECT_FALSE(differs(one));
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_TRUE(asked[0].how.timed && asked[1].how.timed);
  EXPECT_EQ(asked[0].how.rates, options.rates);
  EXPECT_EQ(asked[1].how.rates, std::nullopt);
}

TEST_F(Comparing, ARowThatDiffersMakesTheCaseDiffer) {
  run_of(*cuda).outcomes[1].peak_bytes = 65;
  EXPECT_TRUE(differs(compared()));
}

TEST_F(Comparing, WhatAWorldCannotPlayIsLeftOut) {
  lacking = "needs 2 GPUs";
  EXPECT_EQ(compared().left_out, "cuda: needs 2 GPUs");
  lacking.clear();
}

TEST_F(Comparing, WhatGoesWrongInAWorldIsADifference) {
  cuda = Status(Code::failed, "the device is lost");
  const Compared one = compared();
  EXPECT_TRUE(differs(one));
  EXPECT_EQ(row_of(one.rows, "run").says, "cuda: the device is lost");
}

TEST_F(Comparing, AScenarioForSeveralWorldsIsComparedOnce) {
  std::string several = scenario;
  several.replace(several.find("kind: sim"), 9, "kind: [sim, cuda]");
  std::ofstream(file) << several;
  EXPECT_EQ(compared().id.find("world="), std::string::npos);
}

TEST_F(Comparing, CasesOfShapesAloneAreNotForWorldsWithBytes) {
  std::string meta = scenario;
  meta.replace(meta.find("kind: sim"), 9, "kind: meta");
  std::ofstream(file) << meta;
  size_t told = 0;
  EXPECT_TRUE(compare_worlds(options, engine, [&](const Compared&) { ++told; }).ok());
  EXPECT_EQ(told, 0u);
}

}  // namespace
}  // namespace reloadlab::sim
