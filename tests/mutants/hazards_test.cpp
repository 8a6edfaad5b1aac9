// scenarios/shared_series: what becomes of every hazard of a ring, as the files' first lines say it (hazards.h). The table of the README
// follows from them.
#include "tests/mutants/hazards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "sim/candidate/candidate.h"
#include "tests/mutants/bugs.h"
#include "tests/mutants/played.h"
#include "tests/mutants/ring_wrong.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

using Kind = HazardOutcome::Kind;
using sim::Outcome;
using sim::Step;
using sim::Verdict;

std::vector<HazardFile> all_hazards() {
  auto files = read_hazards();
  EXPECT_TRUE(files.ok()) << files.status().message();
  return files.ok() ? *std::move(files) : std::vector<HazardFile>();
}

class Hazards : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

void expect_no_law_fails(const Played& played) {
  for (const Verdict& verdict : played.verdicts)
    EXPECT_TRUE(verdict.outcome == Outcome::pass || verdict.outcome == Outcome::unsupported)
        << played.evidence.the_case.id() << " " << told(verdict);
}

// Each step that is to be refused ends with the code, on every rank, and no other step does.
void expect_refusals(const Played& played, const std::string& code) {
  const sim::Execution& warm = played.evidence.executions.back();
  size_t refused = 0;
  for (const sim::RankRun& run : warm.ranks)
    for (const sim::StepOutcome& outcome : run.outcomes) {
      const bool meant = outcome.step >= 0 && warm.steps[static_cast<size_t>(outcome.step)].outcome == Step::Outcome::error;
      EXPECT_EQ(code_name(outcome.status.code()), meant ? code : "ok") << outcome.step << ": " << outcome.status.message();
      refused += meant ? 1 : 0;
    }
  EXPECT_EQ(refused == 0, code.empty());
}

void expect(const HazardOutcome& outcome, const std::vector<Played>& cases) {
  EXPECT_FALSE(cases.empty());
  for (const Played& played : cases) {
    if (outcome.kind == Kind::outside) {
      EXPECT_TRUE(played.fails(outcome.by)) << played.evidence.the_case.id() << ": " << outcome.by << " detects nothing";
      continue;
    }
    expect_no_law_fails(played);
    expect_refusals(played, outcome.by);
  }
}

TEST_F(Hazards, EachComesToWhatItsFileSays) {
  for (const HazardFile& file : all_hazards()) {
    std::set<std::string> said;
    for (const auto& [id, outcomes] : file.hazards)
      for (const HazardOutcome& outcome : outcomes) {
        SCOPED_TRACE(file.name + " " + id + " " + outcome.candidate);
        if (said.insert(outcome.candidate + std::to_string(static_cast<int>(outcome.kind)) + outcome.by).second)
          expect(outcome, play(file.path().string(), outcome.candidate));
      }
  }
}

TEST_F(Hazards, MutantsThatHaveItAreKilled) {
  for (const HazardFile& file : all_hazards())
    for (const Kill& kill : file.kills) {
      const std::vector<Played> cases = play(file.path().string(), kill.mutant);
      std::string seen;
      for (const Played& played : cases)
        for (const Verdict& verdict : played.verdicts)
          if (verdict.outcome == Outcome::fail) seen += told(verdict);
      EXPECT_TRUE(std::ranges::any_of(cases, [&](const Played& played) { return played.fails(kill.law); }))
          << file.name << " " << kill.mutant << " lives through " << kill.law << "\n"
          << seen;
    }
}

// By the law that it is for, in a file here or among the known bugs.
TEST_F(Hazards, EveryMutantOfASeriesIsKilledSomewhere) {
  std::set<std::pair<std::string, std::string>> killed;
  for (const HazardFile& file : all_hazards())
    for (const Kill& kill : file.kills) killed.emplace(kill.mutant, kill.law);
  const auto bugs = read_bugs();
  ASSERT_TRUE(bugs.ok()) << bugs.status().message();
  for (const auto& [id, bug] : *bugs) killed.emplace(bug.candidate, bug.law);
  for (const RingMutant& mutant : ring_mutants())
    EXPECT_TRUE(mutant.law.empty() || killed.contains({"mutant@" + std::string(mutant.name), std::string(mutant.law)})) << mutant.name;
}

// What kills a mutant is its mistake, and not what the plain series is or cannot do.
TEST_F(Hazards, ControlsPassWhereTheirMutantsAreKilled) {
  for (const HazardFile& file : all_hazards()) {
    std::set<std::string> controls;
    for (const Kill& kill : file.kills) controls.insert(std::string(ring_control(kill.mutant.substr(kill.mutant.find('@') + 1))));
    for (const std::string& control : controls) {
      SCOPED_TRACE(file.name + " " + control);
      for (const Played& played : play(file.path().string(), "mutant@" + control)) expect_no_law_fails(played);
    }
  }
}

TEST_F(Hazards, EveryOneHasAScenario) {
  std::set<std::string> said;
  for (const HazardFile& file : all_hazards())
    for (const auto& [id, outcomes] : file.hazards) {
      EXPECT_TRUE(std::ranges::any_of(outcomes, [](const auto& each) { return each.candidate == "shared_series@hardened"; }))
          << file.name << ": nothing of the hardened profile";
      said.insert(id);
    }
  for (const std::string& id : hazard_ids()) EXPECT_TRUE(said.contains(id)) << id << " has no scenario";
}

TEST_F(Hazards, TheTableFollowsFromTheFiles) {
  std::ifstream in(std::filesystem::path(RELOADLAB_SOURCE_DIR) / "scenarios/shared_series/README.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string_view from = "<!-- keys -->\n", to = "<!-- end of keys -->\n";
  const size_t begin = text.find(from), end = text.find(to);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end);
  EXPECT_EQ(text.substr(begin + from.size(), end - begin - from.size()), hazards_table(all_hazards()));
}

}  // namespace
}  // namespace reloadlab::mutants
