#pragma once
// Candidates of one system side by side: laws × candidates × configurations, what each case came to otherwise than with the first
// candidate, and what it cost. Of a run that knows no expectations: a scoreboard says what is, not what was to be.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

// How often a law came to what.
struct Score {
  int64_t held = 0, failed = 0, other = 0;  // failed: fail and hang; other: flaky, inconclusive
  bool operator==(const Score&) const = default;
};

struct ScoreRow {
  std::string law, configuration;  // "sim, 2 ranks"; empty: all of them
  std::vector<Score> scores;       // by candidate
};

// A law of a case that came to something else than with the first candidate.
struct Turn {
  std::string id, law, candidate;
  std::string before, after;  // names of states; "not run" where the case has no verdict of the law
  bool green() const { return is_broken(before) && after == "pass"; }
  bool red() const { return before == "pass" && is_broken(after); }
  static bool is_broken(std::string_view state) { return state == "fail" || state == "hang"; }
};

// Of the cases that all candidates have played to their end.
struct CostRow {
  std::string candidate;
  Costs costs;
  double seconds = 0;
  std::vector<double> ratios;           // of each case's time to the first candidate's, but of the first case: processes start in that
  std::optional<double> ratio() const;  // the median
};

struct Scoreboard {
  std::string system;
  std::vector<std::string> candidates;
  std::vector<ScoreRow> rows;
  std::vector<Turn> turns;
  std::vector<CostRow> costs;
  int64_t cases = 0, in_common = 0;  // of which all have costs
};

// One for each system, in the order of the run.
std::vector<Scoreboard> scoreboards(const RunResult& run);
bool turned_red(const std::vector<Scoreboard>& boards);

// "12 ok", "3 FAIL of 12", "-" where the law was judged in no case.
std::string score_text(const Score& score);
// For a terminal: configurations are told apart where candidates differ in them.
std::string scoreboard_text(const std::vector<Scoreboard>& boards);
std::string scoreboard_markdown(const std::vector<Scoreboard>& boards);
// Schema version 1; times are in objects of their own, "time", and nothing else differs between two runs.
nlohmann::ordered_json scoreboard_json(const std::vector<Scoreboard>& boards);

}  // namespace reloadlab::sim
