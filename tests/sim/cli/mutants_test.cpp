// The command that runs mutants.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/sim/cli/program_run.h"

namespace reloadlab::tests {
namespace {

class RunningMutants : public ProgramTest {};

std::string fewest_scenarios() {
  std::ifstream file(RELOADLAB_SOURCE_DIR "/tests/mutants/fewest.txt");
  std::string words;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("scenarios/")) words += " " + line;
  return words;
}

// Every mutant against scenarios that suffice, for all of them take four times as long: one that lives is a law, or a scenario, too few.
TEST_F(RunningMutants, EveryMutantIsKilledByALaw) {
  std::filesystem::remove_all(folder / "scenarios");
  std::filesystem::create_directory_symlink(RELOADLAB_SOURCE_DIR "/scenarios", folder / "scenarios");
  const Ran ran = reloadlab("mutants --jobs 2" + fewest_scenarios());
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("mutant@none"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("NOT FINE"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("not run"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find(" in 0 cases"), std::string::npos) << ran.out;
}

TEST_F(RunningMutants, AMutantThatLivesFails) {
  small_scenario();  // one layer, nothing tied, padded, derived or partial
  const Ran ran = reloadlab("mutants scenarios");
  EXPECT_EQ(ran.exit_code, 1) << ran.out;
  EXPECT_NE(ran.out.find("NOT FINE: survives"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("not run: no scenario of its system"), std::string::npos) << ran.out;
}

// With the control that it is held against, on the devices that are asked for.
TEST_F(RunningMutants, AMutantCanBeRunAlone) {
  const std::string file = RELOADLAB_SOURCE_DIR "/scenarios/shared_series/alone_and_in_company.yaml";
  const Ran ran = reloadlab("mutants --on sim --mutant ring_no_wait " + file);
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("ring_happens_before"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("mutant@ring_none "), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("mutant@ring_other_stream"), std::string::npos) << ran.out;
  const Ran unknown = reloadlab("mutants --mutant ring_no_wai " + file);
  EXPECT_EQ(unknown.exit_code, 64);
  EXPECT_NE(unknown.err.find("did you mean \"mutant@ring_no_wait\"?"), std::string::npos) << unknown.err;
}

}  // namespace
}  // namespace reloadlab::tests
