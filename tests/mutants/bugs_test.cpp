// scenarios/bugs: one file a bug, whose first lines say who shows it, which law must fail and on what evidence (bugs.h). The table of the
// README follows from them.
#include "tests/mutants/bugs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

using sim::Outcome;
using sim::Verdict;

Bugs all_bugs() {
  auto bugs = read_bugs();
  EXPECT_TRUE(bugs.ok()) << bugs.status().message();
  return bugs.ok() ? *std::move(bugs) : Bugs();
}

// Verdicts of every case of the file.
std::vector<Verdict> bugs_verdicts(const Bug& bug, const std::string& candidate) {
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
  if (candidate.starts_with("mutant@ring_")) return "shared_series";
  return candidate.starts_with("mutant") ? "layerwise" : candidate.substr(0, candidate.find('@'));
}

class KnownBugs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  }
};

std::string finding_told(const sim::Finding& finding) {
  return fmt::format("{}, step {}, {}: {} | {} | {}\n", finding.execution, finding.step, finding.tensor.empty() ? "-" : finding.tensor,
                     finding.what, finding.first, finding.why);
}

TEST_F(KnownBugs, EachIsShownByTheLawAndTheEvidenceThatItsFileNames) {
  const Bugs bugs = all_bugs();
  EXPECT_GT(std::ranges::count_if(bugs, [](const auto& each) { return each.second.has_file(); }), 30);
  for (const auto& [id, bug] : bugs) {
    if (!bug.has_file()) continue;
    SCOPED_TRACE(id + " " + bug.candidate);
    bool shown = false;
    std::string seen;
    for (const Verdict& verdict : bugs_verdicts(bug, bug.candidate)) {
      if (verdict.law != bug.law || verdict.outcome != Outcome::fail) continue;
      seen += finding_told(*verdict.finding);
      shown = shown || is_first(bug, *verdict.finding);
    }
    EXPECT_TRUE(shown) << bug.law << (seen.empty() ? " does not fail" : " fails for another reason: " + seen);
  }
}

TEST_F(KnownBugs, TheHardenedProfilePassesThemAll) {
  for (const auto& [id, bug] : all_bugs()) {
    if (!bug.has_file()) continue;
    SCOPED_TRACE(id);
    for (const Verdict& verdict : bugs_verdicts(bug, system_of(bug.candidate) + "@hardened"))
      EXPECT_TRUE(verdict.outcome == Outcome::pass || verdict.outcome == Outcome::unsupported)
          << verdict.law << ": " << (verdict.finding ? finding_told(*verdict.finding) : verdict.reason);
  }
}

// No bug of the list without a row, and no row that is stale or of no bug.
TEST_F(KnownBugs, TheTableFollowsFromTheFiles) {
  std::ifstream in(std::filesystem::path(RELOADLAB_SOURCE_DIR) / "scenarios/bugs/README.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string_view from = "<!-- keys -->\n", to = "<!-- end of keys -->\n";
  const size_t begin = text.find(from), end = text.find(to);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end);
  EXPECT_EQ(text.substr(begin + from.size(), end - begin - from.size()), bugs_table(all_bugs()));
}

// The same failure in another place, at another time or for another reason is not the bug's.
TEST_F(KnownBugs, EvidenceOfAnotherReasonDoesNotShowABug) {
  const Bug bug{.step = 1, .tensor = "up.bias", .words = "never written"};
  const sim::Finding finding{
      .step = 1, .tensor = "up.bias", .what = "4 of 4 elements differ", .first = "[0] is nan (poison: never written)"};
  EXPECT_TRUE(is_first(bug, finding));
  sim::Finding other = finding;
  other.step = 2;
  EXPECT_FALSE(is_first(bug, other));
  other = finding;
  other.tensor = "up.weight";
  EXPECT_FALSE(is_first(bug, other));
  other = finding;
  other.first = "[0] is 0.5 from A";
  EXPECT_FALSE(is_first(bug, other));
}

}  // namespace
}  // namespace reloadlab::mutants
