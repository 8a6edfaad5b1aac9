#include "sim/report/kill_matrix.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace reloadlab::tests {
namespace {

using namespace sim;

const std::vector<std::string> kLaws{"law_a", "law_b", "law_c"};

KillMatrix three_mutants() {
  KillMatrix matrix;
  matrix.add("m1", "law_a", "x");
  matrix.add("m2", "law_a", "x");
  matrix.add("m2", "law_b", "y");
  matrix.add("m3", "law_b", "y");
  matrix.add("m3", "law_b", "z");
  return matrix;
}

TEST(KillMatrix, SaysWhichMutantsNoOtherLawKills) {
  const auto alone = three_mutants().alone(kLaws);
  ASSERT_EQ(alone.size(), 3u);
  EXPECT_EQ(alone[0].second, std::vector<std::string>{"m1"});
  EXPECT_EQ(alone[1].second, std::vector<std::string>{"m3"});
  EXPECT_TRUE(alone[2].second.empty());
  EXPECT_NE(three_mutants().text(kLaws).find("laws that never kill alone: law_c\n"), std::string::npos) << three_mutants().text(kLaws);
}

TEST(KillMatrix, FindsTheFewestScenariosThatKillAll) {
  EXPECT_EQ(three_mutants().fewest_scenarios(), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(KillMatrix().fewest_scenarios().empty());
}

// Taking what meets most at each step takes three here.
TEST(KillMatrix, FewestIsFewerThanWhatGreedFinds) {
  KillMatrix matrix;
  const auto at = [&](const std::string& scenario, std::initializer_list<int> mutants) {
    for (const int mutant : mutants) matrix.add("m" + std::to_string(mutant), "law_a", scenario);
  };
  at("even", {2, 4, 6, 8, 10, 12});
  at("odd", {1, 3, 5, 7, 9, 11});
  at("broad", {1, 2, 3, 4, 5, 6, 7});
  at("more", {8, 9, 10});
  at("rest", {11, 12});
  for (int mutant = 1; mutant <= 12; ++mutant) at("own" + std::to_string(mutant), {mutant});
  EXPECT_EQ(matrix.fewest_scenarios(), (std::vector<std::string>{"even", "odd"}));
}

TEST(KillMatrix, DataHasAllOfIt) {
  const auto json = three_mutants().json(kLaws);
  EXPECT_EQ(json["kills"]["m3"]["law_b"], (std::vector<std::string>{"y", "z"}));
  EXPECT_EQ(json["alone"]["law_b"], std::vector<std::string>{"m3"});
}

}  // namespace
}  // namespace reloadlab::tests
