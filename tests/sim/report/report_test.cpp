#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "sim/report/annotations.h"
#include "sim/report/console.h"
#include "sim/report/json.h"
#include "sim/report/junit.h"
#include "sim/report/list.h"
#include "sim/report/progress.h"
#include "sim/report/sarif.h"
#include "sim/report/text.h"
#include "tests/sim/report/golden.h"
#include "tests/sim/report/sample.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

TEST(Golden, AnyStandsForTextWithinALine) {
  EXPECT_TRUE(matches("took 3 s\nend\n", "took {any} s\nend\n"));
  EXPECT_FALSE(matches("took 3 s\nand\nend\n", "took {any}\nend\n"));
  EXPECT_FALSE(matches("took 3 min\n", "took {any} s\n"));
  EXPECT_FALSE(matches("a\nb\n", "a\n"));
}

TEST(Text, NumbersAreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(18864), "18,864");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(plural(1, "case"), "1 case");
  EXPECT_EQ(plural(2, "case"), "2 cases");
}

TEST(Text, ColumnsCountCharactersAndNotBytes) {
  EXPECT_EQ(columns("→ ok"), 4u);
  EXPECT_EQ(aligned({{"a→", "x"}, {"bbb", "y"}}, " | "), "a→  | x\nbbb | y\n");
}

TEST(Console, ReportIsGolden) { EXPECT_TRUE(is_golden(console_report(sample_run()), "console.txt")); }

TEST(Console, ColourChangesNoWord) {
  std::string coloured = console_report(sample_run(), {.colour = true});
  ASSERT_NE(coloured.find("\x1b[31mFAIL\x1b[0m"), std::string::npos);
  for (size_t at; (at = coloured.find('\x1b')) != std::string::npos;) coloured.erase(at, coloured.find('m', at) - at + 1);
  EXPECT_EQ(coloured, console_report(sample_run()));
}

TEST(Annotations, AreGolden) { EXPECT_TRUE(is_golden(github_annotations(sample_run()), "annotations.txt")); }

TEST(Annotations, AreTenAtMostAndThoseThatMatterMost) {
  RunResult run = sample_run();
  run.cases[3].laws.resize(1);                            // not the hang
  run.cases.insert(run.cases.begin(), 12, run.cases[2]);  // unexpected passes and inconclusive ones, before the failure
  const std::string text = github_annotations(run);
  EXPECT_EQ(text.find("::error file=scenarios/layerwise/lost-file.yaml"), 0u) << text;
  EXPECT_LT(text.find("repeated-shard.yaml"), text.find("padded.yaml"));
  EXPECT_EQ(text.find("::warning"), std::string::npos) << "all ten are errors";
  EXPECT_EQ(std::ranges::count(text, '\n'), 11);
  EXPECT_NE(text.find("18 more are in out/20261122T021533Z-scenarios\n"), std::string::npos) << text;
}

TEST(Annotations, GoRoundScenariosBeforeOneHasASecond) {
  RunResult run = sample_run();
  run.cases.resize(1);
  run.cases[0].laws.resize(1);
  run.cases.insert(run.cases.begin(), 12, run.cases[0]);
  run.cases.back().scenario = "another", run.cases.back().file = "another.yaml";
  const std::string text = github_annotations(run);
  EXPECT_EQ(std::ranges::count(text, '\n'), 11);
  EXPECT_EQ(text.find("::error file=another.yaml"), text.find("::error", 1)) << text;
}

TEST(Annotations, KeepWhatGitHubWouldReadAsItsOwn) {
  RunResult run = sample_run();
  run.cases = {run.cases[0]};
  run.cases[0].candidate = "50%,a:b";
  EXPECT_NE(github_annotations(run).find("title=50%25%2Ca%3Ab%3A cold_load_equal"), std::string::npos) << github_annotations(run);
  EXPECT_NE(github_annotations(run).find("rows 32-63%0A[32, 0] is nan"), std::string::npos) << github_annotations(run);
}

TEST(Sarif, IsGolden) { EXPECT_TRUE(is_golden(sarif_text(sample_run()), "result.sarif")); }

TEST(Sarif, TakesTextThatIsNotUtf8) {
  RunResult run = sample_run();
  run.cases[0].laws[0].finding->what = "\xff";
  EXPECT_TRUE(nlohmann::json::accept(sarif_text(run)));
}

TEST(ResultJson, IsGolden) { EXPECT_TRUE(is_golden(result_json(sample_run()), "result.json")); }

TEST(ResultJson, ReadsBackAsItWas) {
  const std::string text = result_json(sample_run());
  const auto read = parse_result(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(result_json(*read), text);
  EXPECT_EQ(console_report(*read), console_report(sample_run()));
}

TEST(ResultJson, OnlyRunDiffersBetweenTwoRuns) {
  RunResult later = sample_run();
  later.run = {.started = "20270101T000000Z", .seconds = 1, .host = "other", .folder = "elsewhere/x", .jobs = 8, .program = "./reloadlab"};
  for (CaseResult& one : later.cases) one.seconds *= 3;
  auto first = nlohmann::ordered_json::parse(result_json(sample_run()));
  auto second = nlohmann::ordered_json::parse(result_json(later));
  EXPECT_NE(first, second);
  first.erase("run");
  second.erase("run");
  EXPECT_EQ(first.dump(), second.dump());
}

TEST(ResultJson, RefusesWhatIsNoResult) {
  for (const char* text : {"", "[]", "{}", R"({"reloadlab": 3, "kind": "result"})", R"({"reloadlab": 2, "kind": "list"})",
                           R"({"reloadlab": 2, "kind": "result", "seed": "x"})"}) {
    const auto read = parse_result(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), Code::data);
  }
  std::string unknown_state = result_json(sample_run());
  unknown_state.replace(unknown_state.find("\"known\""), 7, "\"gnome\"");
  unknown_state.replace(unknown_state.find("\"state\": \"known\""), 16, "\"state\": \"gnome\"");
  EXPECT_FALSE(parse_result(unknown_state).ok());
  auto no_list = nlohmann::ordered_json::parse(result_json(sample_run()));
  no_list["results"] = nlohmann::ordered_json::object();
  EXPECT_EQ(parse_result(no_list.dump()).status().message().find("results is no list") != std::string::npos, true);
}

TEST(ResultJson, HoldsAnyBytesOfACandidate) {
  RunResult run = sample_run();
  run.cases[0].laws[0].finding->what = "\xff\xfe bad";
  EXPECT_TRUE(parse_result(result_json(run)).ok());
}

TEST(Junit, IsGolden) { EXPECT_TRUE(is_golden(junit_xml(sample_run()), "junit.xml")); }

TEST(Junit, IsWellFormedWhateverACandidateSays) {
  RunResult run = sample_run();
  run.cases[0].laws[0].finding->what = "a\x01 <b> \"c\" & ]]>";
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(junit_xml(run).c_str()));
  const auto failure = document.select_node("//failure[@type='fail']").node();
  EXPECT_STREQ(failure.attribute("message").value(), "a? <b> \"c\" & ]]>");
}

Case listed(const std::string& scenario, const std::string& variant, int ranks) {
  Case one{.scenario = scenario, .file = "scenarios/" + scenario + ".yaml", .variant = variant, .about = "What it is for.\nMore."};
  one.system = "layerwise";
  one.tags = {"smoke", "padding"};
  one.ranks = ranks;
  one.steps = {Step{.kind = StepKind::load, .plan = {.checkpoint = "A"}},
               Step{.kind = StepKind::reload, .plan = {.checkpoint = "B", .order = OrderKind::shuffled}}};
  return one;
}

TEST(List, IsGoldenInBothForms) {
  std::vector<Case> cases{listed("padded", "ranks=1", 1), listed("padded", "ranks=2", 2), listed("tied", "", 1)};
  cases[2].about = "A sentence that goes on and on, well beyond what fits into one line of a list that people read.";
  EXPECT_TRUE(is_golden(list_text(cases), "list.txt"));
  EXPECT_TRUE(is_golden(list_json(cases), "list.json"));
}

TEST(Progress, BarFillsUp) {
  EXPECT_EQ(progress_bar(0, 10, "x", 100), "[>                             ] 0 of 10  x");
  EXPECT_EQ(progress_bar(5, 10, "x", 100), "[===============>              ] 5 of 10  x");
  EXPECT_EQ(progress_bar(10, 10, "x", 100), "[==============================] 10 of 10  x");
  EXPECT_EQ(progress_bar(10, 10, "a long name", 44).size(), 44u);
}

}  // namespace
}  // namespace reloadlab::tests
