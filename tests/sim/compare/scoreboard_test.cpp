#include "sim/compare/scoreboard.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace reloadlab::tests {
namespace {

using namespace sim;

CaseResult one(const std::string& scenario, const std::string& candidate, State a, int ranks = 1) {
  CaseResult result{.scenario = scenario, .system = "layerwise", .candidate = candidate, .world = "cpu", .ranks = ranks};
  result.laws = {{.law = "law_a", .state = a}, {.law = "law_b", .state = State::pass}};
  result.costs = Costs{.copies = candidate == "old@1" ? 1 : 3, .bytes_moved = 10, .peak_bytes = 1000, .events = 7};
  result.seconds = candidate == "old@1" ? 2 : 5;
  return result;
}

RunResult two_versions() {
  RunResult run;
  run.laws = {{"law_a", "A."}, {"law_b", "B."}};
  run.cases = {one("x", "old@1", State::fail),    one("x", "new@2", State::pass),    one("y", "old@1", State::pass, 2),
               one("y", "new@2", State::fail, 2), one("z", "old@1", State::pass, 2), one("z", "new@2", State::inconclusive, 2)};
  return run;
}

TEST(Scoreboard, SaysHowOftenEachLawHeldForEachCandidateAndConfiguration) {
  const auto boards = scoreboards(two_versions());
  ASSERT_EQ(boards.size(), 1u);
  const Scoreboard& board = boards[0];
  EXPECT_EQ(board.candidates, (std::vector<std::string>{"old@1", "new@2"}));
  ASSERT_EQ(board.rows.size(), 6u);
  EXPECT_EQ(board.rows[0].configuration, "");
  EXPECT_EQ(board.rows[0].scores[1], (Score{.held = 1, .failed = 1, .other = 1}));
  EXPECT_EQ(board.rows[2].configuration, "cpu, 2 ranks");
  EXPECT_EQ(board.rows[2].scores[0], (Score{.held = 2}));
}

TEST(Scoreboard, SaysWhatTurnedGreenAndWhatRed) {
  const auto boards = scoreboards(two_versions());
  const std::vector<Turn>& turns = boards[0].turns;
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_TRUE(turns[0].green() && !turns[0].red());
  EXPECT_TRUE(turns[1].red() && !turns[1].green());
  EXPECT_FALSE(turns[2].red() || turns[2].green());
  EXPECT_TRUE(turned_red(boards));
  const Turn heard_first_now{.id = "w", .law = "law_a", .candidate = "new@2", .before = "not run", .after = "pass"};
  EXPECT_FALSE(heard_first_now.green());
  RunResult mended = two_versions();
  mended.cases[3].laws[0].state = State::pass;
  EXPECT_FALSE(turned_red(scoreboards(mended)));
}

TEST(Scoreboard, CostsAreOfWhatAllHavePlayed) {
  RunResult run = two_versions();
  run.cases[1].costs.reset();
  const Scoreboard board = scoreboards(run)[0];
  EXPECT_EQ(board.in_common, 2);
  EXPECT_EQ(board.costs[1].costs.copies, 6);
  EXPECT_EQ(board.costs[0].seconds, 4);
}

// Whoever is played first waits for its process, and says nothing of how long it takes.
TEST(Scoreboard, TimeIsTheMedianOfCasesBehindTheFirst) {
  RunResult run = two_versions();
  run.cases[0].seconds = 300;
  run.cases[5].seconds = 7;
  EXPECT_EQ(scoreboards(run)[0].costs[1].ratio(), 3.5);
  EXPECT_EQ(scoreboards(run)[0].costs[0].ratio(), 1);
  run.cases.resize(2);
  EXPECT_EQ(scoreboards(run)[0].costs[1].ratio(), std::nullopt);
}

TEST(Scoreboard, SystemsStandApart) {
  RunResult run = two_versions();
  run.cases[5].system = "online_quant";
  const auto boards = scoreboards(run);
  ASSERT_EQ(boards.size(), 2u);
  EXPECT_EQ(boards[1].candidates, std::vector<std::string>{"new@2"});
}

TEST(Scoreboard, TheTerminalTellsConfigurationsApartWhereCandidatesDiffer) {
  const std::string text = scoreboard_text(scoreboards(two_versions()));
  EXPECT_NE(text.find("law_a  cpu, 2 ranks   2 ok         1 FAIL, 1 ? of 2"), std::string::npos) << text;
  EXPECT_EQ(text.find("law_b  cpu"), std::string::npos) << text;
  EXPECT_NE(text.find("red    new@2  law_a  y  pass → fail"), std::string::npos) << text;
  EXPECT_LT(text.find("red "), text.find("green ")) << text;
  EXPECT_NE(text.find("new@2      9       30           3,000       21      2.50"), std::string::npos) << text;
}

TEST(Scoreboard, MarkdownHasAllConfigurations) {
  const std::string text = scoreboard_markdown(scoreboards(two_versions()));
  EXPECT_NE(text.find("| law_b | cpu, 2 ranks | 2 ok | 2 ok |\n"), std::string::npos) << text;
  EXPECT_NE(text.find("| green | new@2 | law_a | x | fail → pass |\n"), std::string::npos) << text;
  EXPECT_NE(text.find("| candidate | copies | bytes moved | peak bytes | events | time |\n|---|---|---|---|---|---|\n"), std::string::npos);
}

TEST(Scoreboard, DataHasTimesApart) {
  RunResult slower = two_versions();
  for (CaseResult& each : slower.cases) each.seconds *= each.candidate == "old@1" ? 3 : 2;
  auto first = scoreboard_json(scoreboards(two_versions())), second = scoreboard_json(scoreboards(slower));
  EXPECT_EQ(first["systems"][0]["costs"][1]["time"]["ratio"], 2.5);
  EXPECT_EQ(first["systems"][0]["turns"][0]["turned"], "green");
  EXPECT_NE(first, second);
  for (auto* json : {&first, &second})
    for (auto& row : (*json)["systems"][0]["costs"]) row.erase("time");
  EXPECT_EQ(first.dump(), second.dump());
}

}  // namespace
}  // namespace reloadlab::tests
