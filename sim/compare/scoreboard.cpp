#include "sim/compare/scoreboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace reloadlab::sim {
namespace {

constexpr std::string_view kNotRun = "not run";

std::string configuration_of(const CaseResult& one) {
  return fmt::format("{}, {} {}", one.world, one.ranks, one.ranks == 1 ? "rank" : "ranks");
}

void add(State state, Score& score) {
  score.held += state == State::pass;
  score.failed += state == State::fail || state == State::hang;
  score.other += state == State::flaky || state == State::inconclusive;
}

struct Rows {
  const std::vector<std::string>& candidates;
  std::map<std::pair<std::string, std::string>, ScoreRow> by_name = {};  // law, configuration

  void add(const CaseResult& one) {
    const auto place = static_cast<size_t>(std::ranges::find(candidates, one.candidate) - candidates.begin());
    for (const LawResult& law : one.laws)
      for (const std::string& configuration : {std::string(), configuration_of(one)}) {
        ScoreRow& row = by_name[{law.law, configuration}];
        row.law = law.law, row.configuration = configuration;
        row.scores.resize(candidates.size());
        sim::add(law.state, row.scores[place]);
      }
  }
};

using ByCandidate = std::map<std::string, const CaseResult*>;

std::string state_in(const ByCandidate& runs, const std::string& candidate, const std::string& law) {
  const auto run = runs.find(candidate);
  if (run == runs.end()) return std::string(kNotRun);
  const auto found = std::ranges::find(run->second->laws, law, &LawResult::law);
  return found == run->second->laws.end() ? std::string(kNotRun) : std::string(state_name(found->state));
}

void add_turns(const std::string& id, const ByCandidate& runs, const std::vector<LawText>& laws, Scoreboard& board) {
  for (size_t i = 1; i < board.candidates.size(); ++i)
    for (const LawText& law : laws) {
      Turn turn{.id = id, .law = law.id, .candidate = board.candidates[i], .before = {}, .after = {}};
      turn.before = state_in(runs, board.candidates[0], law.id), turn.after = state_in(runs, turn.candidate, law.id);
      if (turn.before != turn.after) board.turns.push_back(std::move(turn));
    }
}

void add_costs(const ByCandidate& runs, Scoreboard& board) {
  const bool all = std::ranges::all_of(board.candidates, [&](const std::string& candidate) {
    const auto run = runs.find(candidate);
    return run != runs.end() && run->second->costs;
  });
  if (!all) return;
  ++board.in_common;
  for (CostRow& row : board.costs) {
    const CaseResult& one = *runs.at(row.candidate);
    for (const Counter& counter : kCounters) row.costs.*counter.value += (*one.costs).*counter.value;
    row.seconds += one.seconds;
    const double first = runs.at(board.candidates.front())->seconds;
    if (board.in_common > 1 && first > 0) row.ratios.push_back(one.seconds / first);
  }
}

Scoreboard board_of(const RunResult& run, const std::string& system) {
  Scoreboard board{.system = system};
  std::vector<std::string> ids;
  std::map<std::string, ByCandidate> cases;
  for (const CaseResult& one : run.cases) {
    if (one.system != system) continue;
    if (std::ranges::find(board.candidates, one.candidate) == board.candidates.end()) board.candidates.push_back(one.candidate);
    if (!cases.contains(one.id())) ids.push_back(one.id());
    cases[one.id()][one.candidate] = &one;
  }
  for (const std::string& candidate : board.candidates) board.costs.push_back({.candidate = candidate});
  Rows rows{board.candidates};
  for (const CaseResult& one : run.cases)
    if (one.system == system) rows.add(one);
  for (const LawText& law : run.laws)
    for (auto& [name, row] : rows.by_name)
      if (name.first == law.id) board.rows.push_back(std::move(row));
  for (const std::string& id : ids) add_turns(id, cases[id], run.laws, board), add_costs(cases[id], board);
  board.cases = static_cast<int64_t>(ids.size());
  return board;
}

}  // namespace

std::optional<double> CostRow::ratio() const {
  std::vector<double> sorted = ratios;
  std::ranges::sort(sorted);
  return sorted.empty() ? std::nullopt : std::optional(sorted[sorted.size() / 2]);
}

std::vector<Scoreboard> scoreboards(const RunResult& run) {
  std::vector<std::string> systems;
  for (const CaseResult& one : run.cases)
    if (std::ranges::find(systems, one.system) == systems.end()) systems.push_back(one.system);
  std::vector<Scoreboard> boards;
  for (const std::string& system : systems) boards.push_back(board_of(run, system));
  return boards;
}

bool turned_red(const std::vector<Scoreboard>& boards) {
  return std::ranges::any_of(boards, [](const Scoreboard& board) { return std::ranges::any_of(board.turns, &Turn::red); });
}

}  // namespace reloadlab::sim
