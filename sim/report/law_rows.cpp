#include "sim/report/law_rows.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

// Worst first: what a cell shows when the cases of a scenario differ.
constexpr State kWorstFirst[] = {State::hang,  State::fail, State::unexpected_pass, State::flaky, State::inconclusive, State::quarantined,
                                 State::known, State::pass, State::unsupported};

size_t badness(State state) { return static_cast<size_t>(std::find(std::begin(kWorstFirst), std::end(kWorstFirst), state) - kWorstFirst); }

}  // namespace

std::vector<LawRow> law_rows(const RunResult& run, const std::string& candidate) {
  std::vector<LawRow> rows;
  for (const CaseResult& one : run.cases) {
    if (one.candidate != candidate) continue;
    auto row = std::find_if(rows.begin(), rows.end(), [&](const LawRow& have) { return have.scenario == one.scenario; });
    if (row == rows.end()) row = rows.insert(rows.end(), LawRow{.scenario = one.scenario});
    ++row->cases;
    row->skipped += one.end != End::judged;
    for (const LawResult& law : one.laws) {
      const auto [place, fresh] = row->worst.emplace(law.law, law.state);
      if (!fresh && badness(law.state) < badness(place->second)) place->second = law.state;
    }
  }
  return rows;
}

std::vector<std::string> candidates_of(const RunResult& run) {
  std::vector<std::string> candidates;
  for (const CaseResult& one : run.cases)
    if (std::ranges::find(candidates, one.candidate) == candidates.end()) candidates.push_back(one.candidate);
  return candidates;
}

std::string_view state_word(State state) {
  switch (state) {
    case State::pass:
      return "ok";
    case State::fail:
      return "FAIL";
    case State::known:
      return "known";
    case State::unexpected_pass:
      return "PASS!";
    case State::inconclusive:
      return "?";
    case State::unsupported:
      return "-";
    case State::flaky:
      return "FLAKY";
    case State::hang:
      return "HANG";
    case State::quarantined:
      return "quar.";
  }
  return "";
}

}  // namespace reloadlab::sim
