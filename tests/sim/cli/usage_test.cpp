#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

struct Wrong {
  std::string name, arguments, says;
};

class Usage : public ProgramTest, public testing::WithParamInterface<Wrong> {};

TEST_P(Usage, EndsWith64AndSaysWhatWasMeant) {
  small_scenario();
  const Ran ran = reloadlab(GetParam().arguments);
  EXPECT_EQ(ran.exit_code, 64);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find(GetParam().says), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

INSTANTIATE_TEST_SUITE_P(
    All, Usage,
    testing::Values(
        Wrong{"nothing", "", "subcommand is required"}, Wrong{"command", "rnu", "unknown command \"rnu\"; did you mean \"run\"?"},
        Wrong{"option", "run --rank 2", "unknown option \"--rank\"; did you mean \"--ranks\"?"},
        Wrong{"option_value", "run --tags=x", "unknown option \"--tags\"; did you mean \"--tag\"?"},
        Wrong{"ranks", "run --ranks two", "--ranks"}, Wrong{"no_ranks", "run --ranks 0", "--ranks"},
        Wrong{"jobs", "run --jobs 0", "--jobs"}, Wrong{"world", "run --world cpo", "did you mean \"cpu\"?"},
        Wrong{"devices", "run --on meta", "world meta has no devices, expected sim or cuda"},
        Wrong{"near_devices", "run --on smi", "did you mean \"sim\"?"}, Wrong{"seed", "run --seed 12x", "neither a number nor a commit"},
        Wrong{"time", "run --for 30", "write 500ms, 30s, 2m or 1h"}, Wrong{"isolate", "run --isolate=cas", "did you mean \"case\"?"},
        Wrong{"both", "run --no-expectations --update-expectations", "--no-expectations"},
        Wrong{"candidate", "run --candidate layerwise@sed", "did you mean"},
        Wrong{"profile", "run --candidate shared_series", "needs a profile: shared_series@seed, shared_series@hardened\n"},
        Wrong{"mutant", "run --candidate mutant@ring_truting", "no mutant is called \"ring_truting\"; did you mean \"ring_trusting\"?"},
        Wrong{"candidate_twice", "run --candidate layerwise@seed --candidate layerwise@seed", "layerwise@seed is given twice"},
        Wrong{"law", "run --law cold_load", "no law is called \"cold_load\""},
        Wrong{"near_law", "run --law no_leek", "did you mean \"no_leak\"?"}, Wrong{"tag", "run --tag smok", "did you mean \"smoke\"?"},
        Wrong{"name", "run --name smal", "did you mean \"small\"?"}, Wrong{"path", "run nowhere", "nowhere: no such file or folder"},
        Wrong{"many", "emit", "2 cases are meant"}),
    [](const auto& wrong) { return wrong.param.name; });

class Asking : public ProgramTest {};

TEST_F(Asking, HelpAndVersionComeOnStdout) {
  const Ran help = reloadlab("--help"), run_help = reloadlab("run --help"), version = reloadlab("--version");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("doctor"), std::string::npos);
  EXPECT_EQ(help.out.find("worker"), std::string::npos);
  EXPECT_EQ(run_help.exit_code, 0);
  EXPECT_NE(run_help.out.find("--update-expectations"), std::string::npos);
  EXPECT_EQ(version.out.substr(0, 10), "reloadlab ");
}

TEST_F(Asking, ABadScenarioEndsWith65AndItsPosition) {
  write("scenarios/bad.yaml", "reloadlab: 1\nscenarioo: x\n");
  for (const char* command : {"run", "list", "lint", "emit"}) {
    const Ran ran = reloadlab(command);
    EXPECT_EQ(ran.exit_code, 65) << command;
    EXPECT_NE(ran.err.find("scenarios/bad.yaml:2:1:"), std::string::npos) << ran.err;
  }
}

TEST_F(Asking, ListLintEmitAndSchema) {
  small_scenario();
  const Ran list = reloadlab("list"), json = reloadlab("list --json --ranks 2"), lint = reloadlab("lint");
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_NE(list.out.find("2 cases in 1 scenario"), std::string::npos);
  const auto cases = nlohmann::json::parse(json.out)["cases"];
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0]["case"], "small[ranks=2]");
  EXPECT_EQ(lint.exit_code, 0) << lint.out;
  EXPECT_EQ(lint.out, "");
  EXPECT_EQ(lint.err, "1 scenario, 2 cases: no complaint\n");
  const Ran emitted = reloadlab("emit --name 'small[ranks=2]'");
  EXPECT_EQ(emitted.exit_code, 0) << emitted.err;
  write("one.yaml", emitted.out);
  EXPECT_EQ(reloadlab("emit one.yaml").out, emitted.out);
  EXPECT_EQ(reloadlab("emit --out cases").exit_code, 0);
  EXPECT_EQ(read("cases/small.ranks-2.yaml"), emitted.out);
  EXPECT_TRUE(nlohmann::json::parse(reloadlab("schema").out).contains("$schema"));
  EXPECT_NE(reloadlab("schema --markdown").out.find("scenario"), std::string::npos);
}

TEST_F(Asking, ScenariosOfOneNameAreRefusedWhereverTheyWouldRunTogether) {
  small_scenario();
  write("scenarios/other.yaml", read("scenarios/layerwise/small.yaml"));
  for (const char* command : {"run", "list", "lint", "emit --out cases"}) {
    const Ran ran = reloadlab(command);
    EXPECT_EQ(ran.exit_code, 65) << command;
    EXPECT_EQ(ran.err,
              "scenarios/other.yaml:2:11: scenario small is also the name of scenarios/layerwise/small.yaml, expected one of its own\n")
        << command;
  }
  EXPECT_EQ(reloadlab("list scenarios/other.yaml").exit_code, 0);
}

// Files that stand side by side can be linted and run together.
TEST_F(Asking, WhatIsEmittedIntoAFolderIsASetOfScenarios) {
  small_scenario();
  const std::string repository = std::string(RELOADLAB_SOURCE_DIR) + "/scenarios/layerwise";
  ASSERT_EQ(reloadlab("emit '" + repository + "' --out em").exit_code, 0);
  const Ran lint = reloadlab("lint em");
  EXPECT_EQ(lint.exit_code, 0) << lint.out << lint.err;
  ASSERT_EQ(reloadlab("emit --out cases").exit_code, 0);
  EXPECT_EQ(reloadlab("run cases --candidate layerwise@hardened --law no_leak").exit_code, 0);
}

TEST_F(Asking, TimesHaveTheirUnitsInTheHelp) {
  const std::string help = reloadlab("run --help").out;
  const auto says = [&](const std::string& text) { return help.find(text) != std::string::npos; };
  EXPECT_TRUE(says("Start no case after so long: 500ms, 30s, 2m, 1h") && says("is a hang: 500ms,")) << help;
}

TEST_F(Asking, OutputThatCannotBeWrittenIs70) {
  small_scenario();
  for (const char* command : {"schema", "list", "--help", "run --candidate layerwise@hardened --law no_leak"}) {
    const Ran ran = reloadlab_onto("/dev/full", command);
    EXPECT_EQ(ran.exit_code, 70) << command;
    EXPECT_NE(ran.err.find("No space left on device"), std::string::npos) << command << ": " << ran.err;
    EXPECT_EQ(ran.err.find("a defect in"), std::string::npos) << ran.err;
  }
  std::filesystem::remove_all(folder / "out");
  const Ran ran = reloadlab_within(2, "run --ranks 1 --candidate layerwise@hardened --law no_leak");
  EXPECT_EQ(ran.exit_code, 70) << ran.err;
  EXPECT_NE(ran.err.find(": File too large\n"), std::string::npos) << ran.err;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

TEST_F(Asking, LintFindsAnOrphanedExpectationFile) {
  small_scenario();
  write("scenarios/expectations/layerwise/gone.yaml", "reloadlab: 1\nscenario: gone\nknown: []\n");
  const Ran lint = reloadlab("lint");
  EXPECT_EQ(lint.exit_code, 65);
  EXPECT_NE(lint.out.find("gone.yaml:1:1:"), std::string::npos);
}

TEST_F(Asking, DoctorSaysWhatIsMissing) {
  EXPECT_EQ(reloadlab("doctor").exit_code, 1);
  EXPECT_NE(reloadlab("doctor").out.find("MISSING  scenarios"), std::string::npos);
}

}  // namespace
}  // namespace reloadlab::tests
