// A finding as campaigns print it, pasted below what it asks to be included.
#include <gtest/gtest.h>

#include "sim/campaign/attempt.h"
#include "sim/scenario/scenario.h"

// clang-format off
// #include "sim/campaign/attempt.h" and "sim/scenario/scenario.h"; link with reloadlab_engine.
TEST(Drawn, WrittenOnceReloadParameterAb710c8e) {
  const auto engine = reloadlab::sim::built_in_engine();
  const auto cases = reloadlab::sim::parse_scenario(R"yaml(reloadlab: 1
scenario: written_once-reload-parameter
about: "Drawn, and made small."
system: layerwise
model:
  layers:
    - {name: norm, kind: norm, hidden: 4}
checkpoints:
  A: {synthetic: 1}
  B: {synthetic: 2}
steps:
  - load: A
  - reload: B
)yaml", "drawn.yaml", {.known_laws = engine.law_ids()});
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  const auto answer = reloadlab::sim::attempt({.the_case = cases->front(), .candidate = "layerwise@hardened"}, engine);
  EXPECT_EQ(answer.result.end, reloadlab::sim::End::judged) << answer.result.reason;
  using reloadlab::sim::State;
  for (const auto& law : answer.result.laws) EXPECT_TRUE(law.state != State::fail && law.state != State::hang) << law.law;
}
