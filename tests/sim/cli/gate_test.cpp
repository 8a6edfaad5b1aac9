// Gating a run: baselines, quarantines, conditions; and candidates side by side.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

const std::string kExpected = "scenarios/expectations/layerwise/small.yaml";

class Gating : public ProgramTest {
 protected:
  Gating() { small_scenario(); }
  static std::string folder_of(const Ran& ran) { return ran.out.substr(0, ran.out.find('\n')); }
  static void expect(const Ran& ran, int exit_code, const std::string& in_err) {
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err << ran.out;
    EXPECT_NE(ran.err.find(in_err), std::string::npos) << ran.err << ran.out;
  }
};

TEST_F(Gating, ARunThatCostsTheSameHoldsWhoeverJudges) {
  const Ran before = reloadlab("run --candidate layerwise@hardened");
  const auto json = nlohmann::json::parse(result_text(before));
  EXPECT_GT(json["results"][0]["costs"]["copies"], 0);
  EXPECT_GT(json["results"][0]["costs"]["bytes_moved"], json["results"][0]["costs"]["copies"]);
  EXPECT_GT(json["results"][0]["costs"]["peak_bytes"], 0);
  for (const char* how : {"", " --jobs 2", " --isolate"})
    expect(reloadlab("run --candidate layerwise@hardened --baseline " + folder_of(before) + how), 0, "2 cases compared, 0 worse, 0 better");
}

TEST_F(Gating, WhatCostsMoreFailsInEveryReport) {
  const Ran before = reloadlab("run --candidate layerwise@hardened");
  auto json = nlohmann::json::parse(result_text(before));
  for (auto& one : json["results"]) one["costs"]["bytes_moved"] = one["costs"]["bytes_moved"].get<int64_t>() - 1;
  write("cheaper.json", json.dump());
  const Ran ran = reloadlab("run --candidate layerwise@hardened --sarif --github --baseline cheaper.json");
  expect(ran, 1, "FAIL  within_baseline   layerwise@hardened");
  EXPECT_NE(ran.err.find("  note   bytes moved: "), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("::error file=scenarios/layerwise/small.yaml"), std::string::npos) << ran.out;
  const std::string latest = "out/latest/";
  EXPECT_NE(read(latest + "junit.xml").find("name=\"within_baseline\">\n   <failure type=\"fail\" message=\"bytes moved: "),
            std::string::npos)
      << read(latest + "junit.xml");
  EXPECT_NE(read(latest + "result.sarif").find("\"ruleId\": \"within_baseline\""), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(read(latest + "result.json"))["baseline"]["worse"], 2);
}

TEST_F(Gating, AnotherCandidateStandsForTheOneThere) {
  const Ran before = reloadlab("run --candidate layerwise@hardened");
  const std::string with = "run --candidate mutant@none --baseline " + folder_of(before);
  const std::string only = "only in the baseline: layerwise@hardened small[ranks=1], layerwise@hardened small[ranks=2]";
  expect(reloadlab(with), 4, only);  // held against nothing
  expect(reloadlab(with + " --baseline-candidate layerwise@harden=mutant@none"), 64, "did you mean \"layerwise@hardened\"?");
  expect(reloadlab(with + " --baseline-candidate mutant@none"), 64, "is not THERE=HERE");
  expect(reloadlab("run --baseline-candidate a=b"), 64, "needs --baseline");
}

// The control of the mutants copies each tensor once more than the reference does.
TEST_F(Gating, ARegressionAgainstAnotherVersionCanBeRunAgain) {
  const Ran before = reloadlab("run --candidate layerwise@hardened");
  const Ran ran = reloadlab("run --candidate mutant@none --ranks 1 --baseline " + folder_of(before) +
                            " --baseline-candidate layerwise@hardened=mutant@none");
  expect(ran, 1, "  layerwise@hardened there is compared with mutant@none here");
  EXPECT_NE(ran.err.find("  note   copies: 7 before, 9 now; bytes moved: "), std::string::npos) << ran.err;
  const size_t line = ran.err.find("  again  "), from = ran.err.find(" run ", line) + 1;
  ASSERT_NE(line, std::string::npos) << ran.err;
  expect(reloadlab(ran.err.substr(from, ran.err.find('\n', line) - from)), 1, "  note   copies: 7 before, 9 now; bytes moved: ");
}

TEST_F(Gating, ABaselineThatCannotBeReadIs65) {
  expect(reloadlab("run --baseline nowhere.json"), 65, "nowhere.json: No such file or directory");
  write("old.json", R"({"reloadlab": 1, "kind": "result", "results": []})");
  expect(reloadlab("run --baseline old.json"), 65, "old.json: a result of schema 1; this program writes and reads schema 2");
  write("torn.json", R"({"reloadlab": 2, "kind": "res)");
  expect(reloadlab("run --baseline torn.json"), 65, "torn.json: not a result of schema 2");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(Gating, AQuarantineEndsWithItsDay) {
  write(kExpected,
        "reloadlab: 1\nscenario: small\nknown:\n"
        "  - {candidate: mutant@none, law: cold_load_equal, quarantine: {until: 2026-12-31, reason: it races}}\n");
  expect(reloadlab("lint --today 2026-12-31"), 0, "no complaint");
  const Ran over = reloadlab("lint --today 2027-01-01");
  EXPECT_EQ(over.exit_code, 65);
  EXPECT_NE(over.out.find("small.yaml:4:64: the quarantine of cold_load_equal for mutant@none ended on 2026-12-31"), std::string::npos)
      << over.out;
  expect(reloadlab("run --today tomorrow"), 64, "--today: \"tomorrow\" is no day: write it as 2026-12-31");
  expect(reloadlab("lint --today 2026-02-29"), 64, "is no day");
}

TEST_F(Gating, AMisspeltCandidateIsNoExpectation) {
  const auto expected = [&](const std::string& candidate) {
    write(kExpected, "reloadlab: 1\nscenario: small\nknown:\n  - {candidate: " + candidate +
                         ", law: written_once, rule: LW5, execution: warm, step: 1}\n");
    return reloadlab("lint");
  };
  const Ran ran = expected("layerwise@sed");
  EXPECT_EQ(ran.exit_code, 65);
  EXPECT_NE(ran.out.find("small.yaml:4:"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("did you mean \"seed\"?"), std::string::npos) << ran.out;
  for (const char* fine : {"\"layerwise@hardened,abort=unusable\"", "./libmine.so@fast", "vllm@0.99.0"})
    expect(expected(fine), 0, "no complaint");
}

TEST_F(Gating, ConditionsAreAboutTheLibTorchThatIsThere) {
  const auto law = [&](const std::string& version) {
    const auto found = nlohmann::json::parse(
        result_text(reloadlab("run --candidate mutant@dropped_last --no-expectations --ranks 1 --law cold_load_equal")));
    std::string text = "reloadlab: 1\nscenario: small\nknown:\n";
    for (const auto& each : found["results"][0]["laws"]) {
      if (each["state"] != "fail") continue;
      const auto& finding = each["finding"];
      text += "  - {candidate: mutant@dropped_last, law: " + each["law"].get<std::string>() +
              ", rule: LW1, reason: no sums, when: {torch: \"" + version + "\"}, execution: " + finding["execution"].get<std::string>() +
              ", step: " + std::to_string(finding["step"].get<int>());
      if (finding.contains("tensor")) text += ", tensor: " + finding["tensor"].get<std::string>();
      text += "}\n";
    }
    write(kExpected, text);
    return reloadlab("run --candidate mutant@dropped_last --ranks 1 --law cold_load_equal");
  };
  EXPECT_EQ(law("2").exit_code, 0);
  EXPECT_NE(read("out/latest/result.json").find("no sums; holds with torch 2"), std::string::npos);
  EXPECT_EQ(law("1.13").exit_code, 1);
}

TEST_F(Gating, SchemaPrintsTheKeysOfExpectationFiles) {
  const Ran ran = reloadlab("schema --expectations");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.out.find("| `quarantine` | "), std::string::npos) << ran.out;
}

TEST_F(Gating, CandidatesSideBySide) {
  const Ran ran = reloadlab("compare --candidate layerwise@hardened --candidate mutant@dropped_last --markdown board.md --json board.json");
  expect(ran, 1, "red  mutant@dropped_last");
  EXPECT_EQ(ran.out, "") << "the table is for people";
  EXPECT_NE(read("board.md").find("| candidate | copies | bytes moved | peak bytes | events | time |"), std::string::npos);
  const auto json = nlohmann::json::parse(read("board.json"));
  EXPECT_EQ(json["systems"][0]["candidates"][1], "mutant@dropped_last");
  EXPECT_EQ(json["systems"][0]["in_common"], 2);
  expect(reloadlab("compare --jobs 2 --candidate mutant@dropped_last --candidate layerwise@hardened"), 0, "green  layerwise@hardened");
  expect(reloadlab("compare"), 0, "layerwise: 2 cases, held against layerwise@seed");
}

TEST_F(Gating, WhoIsOfAnotherSystemIsComparedWithNothing) {
  expect(reloadlab("compare --candidate layerwise@hardened --candidate online_quant@hardened"), 4,
         "layerwise@hardened is compared with nothing: no other candidate is of system layerwise");
}

// Before anything is played; and what stands at the place and is no file stays what it is.
TEST_F(Gating, WhereResultsCannotGoIsSaidAtOnce) {
  const std::string two = "compare --candidate layerwise@hardened --candidate mutant@none ";
  for (const std::string& how :
       {two + "--markdown none/board.md", two + "--json none/board.json", std::string("mutants --json none/m.json")}) {
    const Ran ran = reloadlab(how);
    expect(ran, 64, "none/");
    EXPECT_EQ(ran.err.find("2 of "), std::string::npos) << ran.err;
  }
  write("there.json", "old");
  std::filesystem::create_symlink("there.json", folder / "link.json");
  expect(reloadlab(two + "--json link.json --markdown /dev/null"), 0, "held against");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.json"));
  EXPECT_TRUE(nlohmann::json::accept(read("there.json")));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(Gating, WhatCandidatesDoIsComparedWhereverTheyArePlayed) {
  expect(reloadlab("compare --by events --candidate layerwise@hardened --candidate mutant@none"), 0,
         "2 the same, 0 differ as known, 0 differ, 0 not compared");
  for (const char* how : {"", " --jobs 2", " --isolate"}) {
    const Ran ran = reloadlab("compare --by events --candidate layerwise@hardened --candidate mutant@dropped_last --json differs.json" +
                              std::string(how));
    expect(ran, 1, "0 the same, 0 differ as known, 2 differ, 0 not compared");
    EXPECT_NE(ran.out.find("small[ranks=1]  layerwise@hardened | mutant@dropped_last  differs\n  verdicts   "), std::string::npos)
        << ran.out;
    EXPECT_NE(ran.out.find("\n  bytes      rank 0, step "), std::string::npos) << ran.out;
    EXPECT_EQ(nlohmann::json::parse(read("differs.json"))["differential"]["others"].size(), 2u);
  }
}

TEST_F(Gating, DifferencesThatAreKnownHoldWithTheirReasons) {
  const std::string how = "compare --by events --candidate layerwise@seed --candidate mutant@none --known known.yaml";
  const std::string entry =
      "reloadlab: 1\nknown:\n  - {first: layerwise@seed, candidate: mutant@none, scenario: 'sm*', reason: B16, aspect: ";
  write("known.yaml", entry + "verdicts}\n");
  const Ran ran = reloadlab(how);
  expect(ran, 0, "0 the same, 2 differ as known, 0 differ, 0 not compared");
  EXPECT_NE(ran.out.find("small[ranks=1]  layerwise@seed | mutant@none  known\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("known: B16\n"), std::string::npos) << ran.out;
  write("known.yaml",
        entry + "verdicts}\n  - {first: layerwise@seed, candidate: mutant@none, scenario: small, reason: r, aspect: bytes}\n");
  expect(reloadlab(how), 5, "known.yaml:4:5: layerwise@seed and mutant@none do not differ in bytes any more");
  write("known.yaml", entry + "byts}\n");
  expect(reloadlab(how), 65, "did you mean \"bytes\"?");
  expect(reloadlab("compare --known known.yaml"), 64, "--known needs --by events");
}

TEST_F(Gating, WrongQuestionsAboutCandidatesAreUsage) {
  expect(reloadlab("compare --candidate layerwise@seed"), 64, "compare needs two candidates or more, or --worlds");
  expect(reloadlab("compare --by event"), 64, "neither verdicts nor events; did you mean \"events\"?");
  expect(reloadlab("compare --rates h200"), 64, "--rates needs --worlds");
  expect(reloadlab("compare --worlds cpu,sim --by events"), 64, "--worlds");
}

}  // namespace
}  // namespace reloadlab::tests
