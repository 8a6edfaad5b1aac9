// The table laws × scenarios. Law names are long, so a heading breaks at its underscores and stands on the lowest line.
#include <fmt/format.h>

#include "sim/report/console.h"
#include "sim/report/law_rows.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

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

std::vector<std::string> cells(const LawRow& row, const std::vector<LawText>& laws) {
  std::vector<std::string> cells{row.cases == 1 ? row.scenario : fmt::format("{} ×{}", row.scenario, row.cases)};
  if (row.skipped == row.cases) {
    cells.emplace_back("not run");
    return cells;
  }
  for (const LawText& law : laws) {
    const auto found = row.worst.find(law.id);
    cells.emplace_back(found == row.worst.end() ? "" : state_word(found->second));
  }
  return cells;
}

// Colour goes in after alignment, so that escape codes take no column: a cell's word stands between blanks.
std::string coloured(std::string text) {
  const std::pair<State, std::string_view> colours[] = {
      {State::fail, "31"}, {State::hang, "31"}, {State::flaky, "31"}, {State::unexpected_pass, "31"}, {State::known, "33"}};
  for (const auto& [state, colour] : colours) {
    const std::string word = fmt::format("  {}", state_word(state));
    const std::string painted = fmt::format("  \x1b[{}m{}\x1b[0m", colour, state_word(state));
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += painted.size()) text.replace(at, word.size(), painted);
  }
  return text;
}

}  // namespace

std::string law_table(const RunResult& run, const ConsoleStyle& style) {
  std::string text;
  for (const std::string& candidate : candidates_of(run)) {
    auto table = heading(candidate, run.laws);
    for (const LawRow& row : law_rows(run, candidate)) table.push_back(cells(row, run.laws));
    const std::string block = aligned(table, "  ");
    text += (style.colour ? coloured(block) : block) + "\n";
  }
  return text;
}

}  // namespace reloadlab::sim
