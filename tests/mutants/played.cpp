#include "tests/mutants/played.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/candidate/candidate.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::mutants {

bool Played::fails(std::string_view law) const {
  return std::ranges::any_of(verdicts, [&](const sim::Verdict& each) { return each.law == law && each.outcome == sim::Outcome::fail; });
}

std::vector<Played> play(const std::string& file, const std::string& candidate) {
  sim::ParseOptions options;
  for (const sim::LawInfo& law : sim::laws()) options.known_laws.emplace_back(law.id);
  const auto cases = sim::read_scenario(file, options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  const auto info = sim::find_candidate(candidate);
  EXPECT_TRUE(info.ok()) << info.status().message();
  std::vector<Played> all;
  if (!cases.ok() || !info.ok()) return all;
  for (const sim::Case& the_case : *cases) {
    auto evidence = sim::replay(the_case, *info);
    EXPECT_TRUE(evidence.ok()) << evidence.status().message();
    if (!evidence.ok()) continue;
    std::vector<sim::Verdict> verdicts = sim::judge(*evidence);
    all.push_back({*std::move(evidence), std::move(verdicts)});
  }
  return all;
}

std::string told(const sim::Verdict& verdict) {
  if (!verdict.finding) return fmt::format("{}: {}\n", verdict.law, verdict.reason);
  const sim::Finding& found = *verdict.finding;
  return fmt::format("{}: {} step {} {} {} | {} | {}\n", verdict.law, found.execution, found.step, found.tensor, found.what, found.first,
                     found.why);
}

}  // namespace reloadlab::mutants
