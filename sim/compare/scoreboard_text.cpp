// Scoreboards in their three forms.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/compare/scoreboard.h"
#include "sim/report/text.h"

namespace reloadlab::sim {
namespace {

using Table = std::vector<std::vector<std::string>>;
using Json = nlohmann::ordered_json;

bool same_for_all(const ScoreRow& row) {
  return std::ranges::all_of(row.scores, [&](const Score& score) { return score == row.scores.front(); });
}

Table law_rows(const Scoreboard& board, bool all_configurations) {
  Table table{{"law", "configuration"}};
  table[0].insert(table[0].end(), board.candidates.begin(), board.candidates.end());
  for (const ScoreRow& row : board.rows) {
    if (!row.configuration.empty() && !all_configurations && same_for_all(row)) continue;
    if (std::ranges::all_of(row.scores, [](const Score& score) { return score == Score(); })) continue;
    std::vector<std::string> cells{row.law, row.configuration.empty() ? "all" : row.configuration};
    for (const Score& score : row.scores) cells.push_back(score_text(score));
    table.push_back(std::move(cells));
  }
  return table;
}

Table cost_rows(const Scoreboard& board) {
  Table table{{"candidate"}};
  for (const Counter& counter : kCounters) table[0].emplace_back(counter.words);
  table[0].emplace_back("time");
  for (const CostRow& row : board.costs) {
    std::vector<std::string> cells{row.candidate};
    for (const Counter& counter : kCounters) cells.push_back(grouped(row.costs.*counter.value));
    cells.push_back(row.ratio() ? fmt::format("{:.2f}", *row.ratio()) : "-");
    table.push_back(std::move(cells));
  }
  return table;
}

// "green" and "red" are what an upgrade is about; the rest changed without either.
std::string_view colour(const Turn& turn) { return turn.green() ? "green" : turn.red() ? "red" : "other"; }

Table turn_rows(const Scoreboard& board) {
  Table table;
  for (const std::string_view wanted : {"red", "green", "other"})
    for (const Turn& turn : board.turns)
      if (colour(turn) == wanted)
        table.push_back({std::string(wanted), turn.candidate, turn.law, turn.id, fmt::format("{} → {}", turn.before, turn.after)});
  return table;
}

std::string head(const Scoreboard& board) {
  return fmt::format("{}: {}, held against {}", board.system, plural(board.cases, "case"), board.candidates.front());
}

std::string cost_head(const Scoreboard& board) {
  return fmt::format("costs of {} that all have played to their end; time as a ratio to the first", plural(board.in_common, "case"));
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& cell : cells) {
    text += ' ';
    for (const char c : cell) text += c == '|' ? "\\|" : std::string(1, c);
    text += " |";
  }
  return text + "\n";
}

std::string markdown_table(const Table& table) {
  std::string text = markdown_row(table.front()) + "|";
  for (size_t i = 0; i < table.front().size(); ++i) text += "---|";
  text += "\n";
  for (size_t i = 1; i < table.size(); ++i) text += markdown_row(table[i]);
  return text;
}

Json board_json(const Scoreboard& board) {
  Json json{{"system", board.system}, {"candidates", board.candidates}, {"cases", board.cases}, {"in_common", board.in_common}};
  json["laws"] = json["turns"] = json["costs"] = Json::array();
  for (const ScoreRow& row : board.rows) {
    Json scores = Json::array();
    for (const Score& score : row.scores) scores.push_back({{"held", score.held}, {"failed", score.failed}, {"other", score.other}});
    json["laws"].push_back({{"law", row.law}, {"configuration", row.configuration}, {"scores", scores}});
  }
  for (const Turn& turn : board.turns)
    json["turns"].push_back({{"case", turn.id},
                             {"law", turn.law},
                             {"candidate", turn.candidate},
                             {"before", turn.before},
                             {"after", turn.after},
                             {"turned", std::string(colour(turn))}});
  for (const CostRow& row : board.costs) {
    Json costs{{"candidate", row.candidate}};
    for (const Counter& counter : kCounters) costs[std::string(counter.key)] = row.costs.*counter.value;
    costs["time"] = {{"seconds", row.seconds}, {"ratio", row.ratio() ? Json(*row.ratio()) : Json()}};
    json["costs"].push_back(std::move(costs));
  }
  return json;
}

}  // namespace

std::string score_text(const Score& score) {
  const int64_t all = score.held + score.failed + score.other;
  if (all == 0) return "-";
  if (score.held == all) return fmt::format("{} ok", grouped(all));
  std::vector<std::string> words;
  if (score.failed > 0) words.push_back(fmt::format("{} FAIL", grouped(score.failed)));
  if (score.other > 0) words.push_back(fmt::format("{} ?", grouped(score.other)));
  return fmt::format("{} of {}", fmt::join(words, ", "), grouped(all));
}

std::string scoreboard_text(const std::vector<Scoreboard>& boards) {
  std::string text;
  for (const Scoreboard& board : boards) {
    text += head(board) + "\n\n" + aligned(law_rows(board, false), "  ") + "\n";
    if (!board.turns.empty()) text += aligned(turn_rows(board), "  ") + "\n";
    text += cost_head(board) + "\n\n" + aligned(cost_rows(board), "  ") + "\n";
  }
  return text;
}

std::string scoreboard_markdown(const std::vector<Scoreboard>& boards) {
  std::string text = "# Scoreboard\n";
  for (const Scoreboard& board : boards) {
    text += "\n## " + head(board) + "\n\n" + markdown_table(law_rows(board, true));
    Table turns = turn_rows(board);
    turns.insert(turns.begin(), {"turned", "candidate", "law", "case", "from → to"});
    if (turns.size() > 1) text += "\n" + markdown_table(turns);
    text += "\n" + cost_head(board) + "\n\n" + markdown_table(cost_rows(board));
  }
  return text;
}

Json scoreboard_json(const std::vector<Scoreboard>& boards) {
  Json json{{"reloadlab", 1}, {"kind", "scoreboard"}, {"systems", Json::array()}};
  for (const Scoreboard& board : boards) json["systems"].push_back(board_json(board));
  return json;
}

}  // namespace reloadlab::sim
