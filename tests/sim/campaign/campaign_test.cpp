#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/report/json.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

std::string without_run(const std::filesystem::path& folder) {
  auto json = nlohmann::ordered_json::parse(read_file(folder / "result.json"));
  json.erase("run");
  return json.dump(1);
}

TEST_F(CampaignTest, GoodCandidatesHold) {
  scenario("small");
  const RunResult result = run({"fake@good"});
  EXPECT_EQ(exit_code(result), Exit::held);
  ASSERT_EQ(result.cases.size(), 2u);
  EXPECT_EQ(law_of(result, "fake@good", "law_a").state, State::pass);
  EXPECT_EQ(law_of(result, "fake@good", "survives").state, State::pass);
  EXPECT_FALSE(std::filesystem::exists(result.run.folder + "/failing"));
}

TEST_F(CampaignTest, WithoutCandidatesBothProfilesRun) {
  scenario("small");
  const RunResult result = run({});
  ASSERT_EQ(result.cases.size(), 4u);
  EXPECT_EQ(result.cases[0].candidate, "fake@good");
  EXPECT_EQ(result.cases[1].candidate, "fake@bad");
}

TEST_F(CampaignTest, AFailureIsExplainedAndCanBeRunAgain) {
  scenario("small");
  const RunResult result = run({"fake@bad"});
  EXPECT_EQ(exit_code(result), Exit::failed);
  const LawResult law = law_of(result, "fake@bad", "law_a", "ranks=2");
  EXPECT_EQ(law.step_text, "reload to B");
  ASSERT_EQ(law.tail.size(), 2u);
  EXPECT_EQ(law.tail[1].events, std::vector<std::string>{"up.weight 24"});
  EXPECT_NE(screen().find("FAIL  law_a   fake@bad"), std::string::npos);
  EXPECT_NE(screen().find("again  reloadlab run " + result.run.folder + "/failing/small.ranks-2.yaml --candidate fake@bad"),
            std::string::npos);
  options.selection.paths = {result.run.folder + "/failing/small.ranks-2.yaml"};
  const RunResult again = run({"fake@bad"});
  ASSERT_EQ(again.cases.size(), 1u);
  EXPECT_EQ(again.cases[0].ranks, 2);
  EXPECT_EQ(exit_code(again), Exit::failed);
}

TEST_F(CampaignTest, AnExceptionAcrossTheBoundaryIsAFailure) {
  scenario("small");
  const LawResult law = law_of(run({"fake@throws"}), "fake@throws", "survives");
  EXPECT_EQ(law.state, State::fail);
  EXPECT_EQ(law.finding->step, 1);
  EXPECT_NE(law.finding->what.find("boom"), std::string::npos);
}

TEST_F(CampaignTest, EndsThatAreNoVerdictHaveTheirExitCodes) {
  scenario("small");
  EXPECT_EQ(exit_code(run({"fake@good", "fake@unsure"})), Exit::inconclusive);
  EXPECT_EQ(exit_code(run({"fake@not_here"})), Exit::nothing_ran);
  EXPECT_EQ(exit_code(run({"fake@good", "fake@not_here"})), Exit::held);
  EXPECT_EQ(exit_code(run({"fake@good", "fake@no_data"})), Exit::bad_scenario);
  EXPECT_EQ(exit_code(run({"fake@good", "fake@broken"})), Exit::defect);
  EXPECT_NE(screen().find("the harness slipped"), std::string::npos);
}

TEST_F(CampaignTest, TwoRunsLeaveTheSameResult) {
  scenario("small");
  const RunResult first = run({"fake@good", "fake@bad"}), second = run({"fake@good", "fake@bad"});
  EXPECT_NE(first.run.folder, second.run.folder);
  EXPECT_EQ(without_run(first.run.folder), without_run(second.run.folder));
  EXPECT_EQ(read_file(first.run.folder + "/trace.jsonl"), read_file(second.run.folder + "/trace.jsonl"));
  EXPECT_FALSE(read_file(first.run.folder + "/trace.jsonl").empty());
}

TEST_F(CampaignTest, RepeatFindsWhatDiffers) {
  scenario("small");
  options.repeat = 3;
  const RunResult result = run({"fake@good", "fake@unlike", "fake@hidden"});
  EXPECT_EQ(exit_code(result), Exit::flaky);
  EXPECT_EQ(law_of(result, "fake@good", "same_again").state, State::pass);
  const LawResult law = law_of(result, "fake@unlike", "same_again");
  EXPECT_EQ(law.state, State::flaky);
  EXPECT_NE(law.reason.find("run 2 of 3 first differs from run 1 at line 4 of the trace"), std::string::npos) << law.reason;
  EXPECT_NE(law_of(result, "fake@hidden", "same_again").reason.find("beyond the warm one"), std::string::npos);
}

TEST_F(CampaignTest, ALawThatFailsInSomeRunsIsFlaky) {
  scenario("small");
  options.repeat = 3;
  options.selection.ranks = 1;
  const RunResult result = run({"fake@flaky"});
  EXPECT_EQ(exit_code(result), Exit::flaky) << screen();
  const LawResult law = law_of(result, "fake@flaky", "law_a");
  EXPECT_EQ(law.state, State::flaky);
  EXPECT_EQ(law.reason, "fails in 1 of 3 runs of this seed, first in run 2");
  EXPECT_EQ(law.finding->tensor, "up.weight") << "the evidence is of the run that failed";
  EXPECT_EQ(law_of(result, "fake@flaky", "law_b").state, State::pass);
  EXPECT_EQ(law_of(run({"fake@bad"}), "fake@bad", "law_a").state, State::fail) << "what fails each time is no flake";
}

TEST_F(CampaignTest, ARepeatInWhichTheHarnessBreaksIsADefect) {
  scenario("small");
  options.repeat = 3;
  options.selection.ranks = 1;
  EXPECT_EQ(exit_code(run({"fake@breaks_once"})), Exit::defect) << screen();
}

TEST_F(CampaignTest, ACaseThatCostsMoreThanInTheBaselineFails) {
  scenario("small");
  const RunResult before = run({"fake@good"});
  ASSERT_TRUE(before.cases[0].costs);
  EXPECT_EQ(before.cases[1].costs->copies, 8) << "two steps on two ranks";
  options.baseline = BaselineOptions{.file = before.run.folder};
  EXPECT_EQ(exit_code(run({"fake@good"})), Exit::held) << screen();
  EXPECT_NE(screen().find("2 cases compared, 0 worse, 0 better"), std::string::npos) << screen();
  options.baseline->stands_for = {{"fake@good", "fake@costly"}};
  const RunResult now = run({"fake@costly"});
  EXPECT_EQ(exit_code(now), Exit::failed);
  EXPECT_EQ(law_of(now, "fake@costly", "within_baseline", "ranks=2").reason, "copies: 8 before, 12 now");
  EXPECT_NE(screen().find("FAIL  within_baseline   fake@costly"), std::string::npos) << screen();
  EXPECT_NE(screen().find(" --baseline " + before.run.folder), std::string::npos) << "in the line that runs it again";
  options.baseline->stands_for = {{"fake@good", "fake@costly"}};
  options.jobs = 2;
  EXPECT_EQ(exit_code(run({"fake@costly"})), Exit::failed) << "and where workers judge";
}

TEST_F(CampaignTest, WhatWasDoneIsToldWhereItIsAskedFor) {
  scenario("small");
  std::vector<Behaviour> told;
  options.on_behaviour = [&](const Answer& answer) { told.push_back(answer.behaviour); };
  for (const auto& [jobs, isolation] : {std::pair{1, Isolation::none}, {2, Isolation::none}, {1, Isolation::workers}}) {
    options.jobs = jobs, options.isolation = isolation;
    run({"fake@good", "fake@refuses"});
    ASSERT_EQ(told.size(), 4u);
    const auto found = disagreements(told[0], told[1]);
    ASSERT_EQ(found.size(), 1u) << jobs << " jobs";
    EXPECT_EQ(found[0].place, "rank 0, step 1: the step");
    EXPECT_TRUE(disagreements(told[0], told[0]).empty());
    told.clear();
  }
}

TEST_F(CampaignTest, FailFastStopsAtTheFirstFailure) {
  scenario("small");
  options.fail_fast = true;
  const RunResult result = run({"fake@bad"});
  ASSERT_EQ(result.cases.size(), 2u);
  EXPECT_EQ(result.cases[1].end, End::skipped);
  EXPECT_EQ(exit_code(result), Exit::failed);
}

TEST_F(CampaignTest, ForStartsNothingWhenTheTimeIsOver) {
  scenario("small");
  options.seconds = 0;
  const RunResult result = run({"fake@good"});
  EXPECT_EQ(result.cases[0].end, End::skipped);
  EXPECT_EQ(exit_code(result), Exit::nothing_ran);
}

TEST_F(CampaignTest, FiltersNarrowAndWrongNamesAreUsageErrorsWithTheNearest) {
  scenario("small");
  scenario("large", "About.", "slow");
  options.selection.names = {"sm*"};
  options.selection.ranks = 2;
  EXPECT_EQ(run({"fake@good"}).cases.size(), 1u);
  options.selection = {.paths = options.selection.paths, .tags = {"slow"}};
  EXPECT_EQ(run({"fake@good"}).cases.size(), 2u);
  options.selection.laws = {"law_a"};
  EXPECT_EQ(run({"fake@good"}).cases.size(), 2u);
  options.selection.world = WorldKind::meta;
  EXPECT_EQ(exit_code(run({"fake@good"})), Exit::nothing_ran);
  const std::pair<Selection, std::string> wrong[] = {
      {{.tags = {"slwo"}}, "slow"}, {{.names = {"smal"}}, "small"}, {{.laws = {"law_c"}}, "law_a"}};
  for (const auto& [selection, meant] : wrong) {
    const auto paths = options.selection.paths;
    options.selection = selection;
    options.selection.paths = paths;
    const auto result = try_run({"fake@good"});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), Code::usage);
    EXPECT_NE(result.status().message().find("did you mean \"" + meant), std::string::npos) << result.status().message();
  }
  options.selection = {.paths = options.selection.paths};
  EXPECT_NE(try_run({"fake@god"}).status().message().find("did you mean \"fake@good\""), std::string::npos);
}

TEST_F(CampaignTest, AllBadFilesAreReportedAndNothingRuns) {
  scenario("small");
  write("scenarios/layerwise/one.yaml", "reloadlab: 1\nscenarioo: x\n");
  write("scenarios/layerwise/two.yaml", "reloadlab: 9\n");
  const auto result = try_run({"fake@good"});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::data);
  EXPECT_NE(result.status().message().find("one.yaml:2:1:"), std::string::npos);
  EXPECT_NE(result.status().message().find("two.yaml:1:"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(options.out));
}

TEST_F(CampaignTest, DelaysAreForCasesInWhichOrderCounts) {
  scenario("small");
  std::string streamed = small_scenario("streamed", "Order counts.", "small");
  streamed.replace(streamed.find("reload: B"), 9, "reload: {to: B, source: stream}");
  options.selection.delays = 3;
  options.selection.on = WorldKind::cuda;
  EXPECT_EQ(run({"fake@good"}).cases.size(), 0u);
  EXPECT_NE(screen().find("order counts in no case"), std::string::npos) << screen();
  write("scenarios/layerwise/streamed.yaml", streamed);
  const auto selected = select_cases(options.selection, engine);
  ASSERT_TRUE(selected.ok()) << selected.status().message();
  ASSERT_FALSE(selected->cases.empty());
  for (const Case& one : selected->cases) {
    EXPECT_EQ(one.scenario, "streamed");
    EXPECT_EQ(one.delays, 3u);
  }
  options.selection.on.reset();
  EXPECT_EQ(run({"fake@good"}).cases.size(), 0u);
  EXPECT_NE(screen().find("no case that order counts in is played on cuda"), std::string::npos) << screen();
}

TEST_F(CampaignTest, CasesThatOthersStandForAreNamed) {
  std::string both = small_scenario("both", "Of two worlds.", "small");
  const size_t at = both.find("kind: cpu");
  ASSERT_NE(at, std::string::npos) << both;
  write("scenarios/layerwise/both.yaml", both.replace(at, 9, "kind: [cpu, cuda]"));
  options.selection.on = WorldKind::cuda;
  options.selection.world = WorldKind::cpu;
  EXPECT_EQ(run({"fake@good"}).cases.size(), 0u);
  EXPECT_NE(screen().find("the cases for world cpu are not played on cuda: their scenarios have others for cuda"), std::string::npos);
}

// They are in the run without --delays; played with another seed they would not be what their names say.
TEST_F(CampaignTest, DelaysAreNotForCasesWithDelaysOfTheirOwn) {
  std::string own = small_scenario("own", "Order counts.", "small");
  own.replace(own.find("reload: B"), 9, "reload: {to: B, source: stream}");
  const size_t world = own.find("world: {");
  ASSERT_NE(world, std::string::npos) << own;
  own.replace(world, own.find('}', world) + 1 - world, "world: {kind: cuda, delays: [1, 2]}");
  write("scenarios/layerwise/own.yaml", own);
  options.selection.delays = 3;
  EXPECT_EQ(run({"fake@good"}).cases.size(), 0u);
  EXPECT_NE(screen().find("cases have delays of their own; there are 2 cases here"), std::string::npos) << screen();
  options.selection.delays.reset();
  const auto selected = select_cases(options.selection, engine);
  ASSERT_TRUE(selected.ok()) << selected.status().message();
  EXPECT_EQ(selected->cases.size(), 2u);
}

}  // namespace
}  // namespace reloadlab::tests
