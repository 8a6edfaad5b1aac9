// The table laws × scenarios. Law names are long, so a heading breaks at its underscores and stands on the lowest line.
#include <fmt/format.h>

#include <algorithm>

#include "sim/report/console.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

// Worst first: what a cell shows when the cases of a scenario differ.
constexpr State kWorstFirst[] = {State::hang,  State::fail, State::unexpected_pass, State::flaky, State::inconclusive, State::quarantined,
                                 State::known, State::pass, State::unsupported};

std::string_view cell_text(State state) {
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

struct Row {
  std::string scenario;
  std::map<std::string, State> worst;  // by law
  int64_t cases = 0, skipped = 0;
};

size_t badness(State state) { return static_cast<size_t>(std::find(std::begin(kWorstFirst), std::end(kWorstFirst), state) - kWorstFirst); }

std::vector<Row> rows_of(const RunResult& run, const std::string& candidate) {
  std::vector<Row> rows;
  for (const CaseResult& one : run.cases) {
    if (one.candidate != candidate) continue;
    auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& have) { return have.scenario == one.scenario; });
    if (row == rows.end()) row = rows.insert(rows.end(), Row{.scenario = one.scenario});
    ++row->cases;
    row->skipped += one.end != End::judged;
    for (const LawResult& law : one.laws) {
      const auto [place, fresh] = row->worst.emplace(law.law, law.state);
      if (!fresh && badness(law.state) < badness(place->second)) place->second = law.state;
    }
  }
  return rows;
}

std::vector<std::string> split_heading(const std::string& law) {
  std::vector<std::string> parts{""};
  for (char c : law)
    if (c == '_')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::vector<std::vector<std::string>> heading(const std::string& candidate, const std::vector<LawText>& laws) {
  size_t depth = 1;
  for (const LawText& law : laws) depth = std::max(depth, split_heading(law.id).size());
  std::vector<std::vector<std::string>> lines(depth, std::vector<std::string>{""});
  lines.back()[0] = candidate;
  for (const LawText& law : laws) {
    auto parts = split_heading(law.id);
    parts.insert(parts.begin(), depth - parts.size(), "");
    for (size_t line = 0; line < depth; ++line) lines[line].push_back(parts[line]);
  }
  return lines;
}

std::vector<std::string> cells(const Row& row, const std::vector<LawText>& laws) {
  std::vector<std::string> cells{row.cases == 1 ? row.scenario : fmt::format("{} ×{}", row.scenario, row.cases)};
  if (row.skipped == row.cases) {
    cells.emplace_back("not run");
    return cells;
  }
  for (const LawText& law : laws) {
    const auto found = row.worst.find(law.id);
    cells.emplace_back(found == row.worst.end() ? "" : cell_text(found->second));
  }
  return cells;
}

// Colour goes in after alignment, so that escape codes take no column: a cell's word stands between blanks.
std::string coloured(std::string text) {
  const std::pair<State, std::string_view> colours[] = {
      {State::fail, "31"}, {State::hang, "31"}, {State::flaky, "31"}, {State::unexpected_pass, "31"}, {State::known, "33"}};
  for (const auto& [state, colour] : colours) {
    const std::string word = fmt::format("  {}", cell_text(state));
    const std::string painted = fmt::format("  \x1b[{}m{}\x1b[0m", colour, cell_text(state));
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += painted.size()) text.replace(at, word.size(), painted);
  }
  return text;
}

}  // namespace

std::string law_table(const RunResult& run, const ConsoleStyle& style) {
  std::vector<std::string> candidates;
  for (const CaseResult& one : run.cases)
    if (std::find(candidates.begin(), candidates.end(), one.candidate) == candidates.end()) candidates.push_back(one.candidate);
  std::string text;
  for (const std::string& candidate : candidates) {
    auto table = heading(candidate, run.laws);
    for (const Row& row : rows_of(run, candidate)) table.push_back(cells(row, run.laws));
    const std::string block = aligned(table, "  ");
    text += (style.colour ? coloured(block) : block) + "\n";
  }
  return text;
}

}  // namespace reloadlab::sim
