#include "tests/mutants/played.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "sim/candidate/candidate.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::mutants {

bool Played::fails(std::string_view law) const {
  return std::ranges::any_of(verdicts, [&](const sim::Verdict& each) { return each.law == law && each.outcome == sim::Outcome::fail; });
}

std::vector<sim::Case> cases_of(std::string_view text, const std::string& file) {
  sim::ParseOptions options;
  for (const sim::LawInfo& law : sim::laws()) options.known_laws.emplace_back(law.id);
  auto cases = sim::parse_scenario(text, file, options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  return cases.ok() ? *std::move(cases) : std::vector<sim::Case>();
}

std::vector<sim::Case> cases_in(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return cases_of(std::string(std::istreambuf_iterator<char>(in), {}), file);
}

std::vector<Played> play(const std::string& file, const std::string& candidate) { return play(cases_in(file), candidate); }

std::vector<Played> play(const std::vector<sim::Case>& cases, const std::string& candidate) {
  const auto info = sim::find_candidate(candidate);
  EXPECT_TRUE(info.ok()) << info.status().message();
  std::vector<Played> all;
  if (!info.ok()) return all;
  for (const sim::Case& the_case : cases) {
    auto evidence = sim::replay(the_case, *info);
    EXPECT_TRUE(evidence.ok()) << evidence.status().message();
    if (!evidence.ok()) continue;
    std::vector<sim::Verdict> verdicts = sim::judge(*evidence);
    all.push_back({*std::move(evidence), std::move(verdicts)});
  }
  return all;
}

std::vector<sim::Verdict> verdicts_of(std::string_view text, const std::string& candidate) {
  return play(cases_of(text, "mutants.yaml"), candidate).at(0).verdicts;
}

std::string told(const sim::Verdict& verdict) {
  if (!verdict.finding) return fmt::format("{}: {}\n", verdict.law, verdict.reason);
  const sim::Finding& found = *verdict.finding;
  return fmt::format("{}: {} step {} {} {} | {} | {}\n", verdict.law, found.execution, found.step, found.tensor, found.what, found.first,
                     found.why);
}

Kills kills(std::string_view text, std::string_view mutant) {
  Kills killed;
  for (const sim::Verdict& verdict : verdicts_of(text, "mutant@" + std::string(mutant))) {
    EXPECT_NE(verdict.outcome, sim::Outcome::inconclusive) << verdict.law << ": " << verdict.reason;
    if (verdict.outcome != sim::Outcome::fail) continue;
    killed.laws.insert(verdict.law);
    killed.text += told(verdict);
  }
  return killed;
}

}  // namespace reloadlab::mutants
