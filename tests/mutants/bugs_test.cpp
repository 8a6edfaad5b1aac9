// scenarios/bugs: one file a bug. Its first line says who shows it and which law must fail; the table of the README follows from them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "sim/campaign/rules.h"
#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

namespace fs = std::filesystem;
using sim::Outcome;
using sim::Verdict;

const fs::path folder = fs::path(RELOADLAB_SOURCE_DIR) / "scenarios/bugs";

struct Bug {
  std::string id, name, candidate, law;  // "B03", "b03_copy_and_transform_count_twice", "layerwise@seed", "cold_load_equal"
  fs::path file() const { return folder / (name + ".yaml"); }
};

// "# shows: layerwise@seed, cold_load_equal"
Bug bug_of(const fs::path& file) {
  Bug bug{.name = file.stem().string()};
  for (char c : bug.name.substr(0, bug.name.find('_'))) bug.id += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  constexpr std::string_view word = "# shows: ";
  const size_t comma = line.rfind(", ");
  EXPECT_TRUE(line.starts_with(word) && comma != std::string::npos) << file << ": the first line is to say \"# shows: CANDIDATE, LAW\"";
  if (!line.starts_with(word) || comma == std::string::npos) return bug;
  bug.candidate = line.substr(word.size(), comma - word.size());
  bug.law = line.substr(comma + 2);
  return bug;
}

std::map<std::string, Bug> all_bugs() {
  std::map<std::string, Bug> bugs;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const Bug bug = bug_of(entry.path());
    EXPECT_TRUE(bugs.emplace(bug.id, bug).second) << bug.id << " has two files";
  }
  return bugs;
}

bool is_bug(std::string_view rule) { return (rule[0] == 'B' || rule[0] == 'L') && std::isdigit(static_cast<unsigned char>(rule[1])); }

// Verdicts of every case of the file.
std::vector<Verdict> verdicts(const Bug& bug, const std::string& candidate) {
  sim::ParseOptions options;
  for (const sim::LawInfo& law : sim::laws()) options.known_laws.emplace_back(law.id);
  const auto cases = sim::read_scenario(bug.file().string(), options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  const auto info = sim::find_candidate(candidate);
  EXPECT_TRUE(info.ok()) << info.status().message();
  std::vector<Verdict> all;
  if (!cases.ok() || !info.ok()) return all;
  for (const sim::Case& the_case : *cases) {
    const auto evidence = sim::replay(the_case, *info);
    EXPECT_TRUE(evidence.ok()) << evidence.status().message();
    if (!evidence.ok()) continue;
    std::vector<Verdict> judged = sim::judge(*evidence);
    std::move(judged.begin(), judged.end(), std::back_inserter(all));
  }
  return all;
}

std::string system_of(const std::string& candidate) {
  return candidate.starts_with("mutant") ? "layerwise" : candidate.substr(0, candidate.find('@'));
}

class Bugs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

TEST_F(Bugs, EachIsShownByTheLawThatItsFileNames) {
  const std::map<std::string, Bug> bugs = all_bugs();
  EXPECT_GT(bugs.size(), 30U);
  for (const auto& [id, bug] : bugs) {
    SCOPED_TRACE(id + " " + bug.candidate);
    const std::vector<Verdict> judged = verdicts(bug, bug.candidate);
    const auto fails = [&](const Verdict& verdict) { return verdict.law == bug.law && verdict.outcome == Outcome::fail; };
    EXPECT_TRUE(std::ranges::any_of(judged, fails)) << bug.law << " does not fail";
  }
}

TEST_F(Bugs, TheHardenedProfilePassesThemAll) {
  for (const auto& [id, bug] : all_bugs()) {
    SCOPED_TRACE(id);
    for (const Verdict& verdict : verdicts(bug, system_of(bug.candidate) + "@hardened"))
      EXPECT_TRUE(verdict.outcome == Outcome::pass || verdict.outcome == Outcome::unsupported) << verdict.law;
  }
}

// No bug of the list without a row: one that runs, or one that says what it needs.
TEST_F(Bugs, TheTableFollowsFromTheFiles) {
  std::ifstream in(folder / "README.md");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  const std::map<std::string, Bug> bugs = all_bugs();
  for (const auto& [id, bug] : bugs) {
    EXPECT_TRUE(sim::is_rule(id)) << id << " is no bug of the list";
    const std::string row =
        fmt::format("| {} | [{}]({}.yaml) | `{}` | `{}` |", id, bug.name.substr(bug.name.find('_') + 1), bug.name, bug.candidate, bug.law);
    EXPECT_NE(std::ranges::find(lines, row), lines.end()) << "missing: " << row;
  }
  for (std::string_view rule : sim::rule_ids()) {
    const std::string needs = fmt::format("| {} | needs ", rule);
    const auto has_row = [&](const std::string& line) { return line.starts_with(needs); };
    if (!is_bug(rule) || bugs.contains(std::string(rule))) continue;
    EXPECT_TRUE(std::ranges::any_of(lines, has_row)) << "a row for " << rule << ", which says what it needs";
  }
}

}  // namespace
}  // namespace reloadlab::mutants
