#pragma once
// The table laws × scenarios as data: a row for each scenario, and of each law the worst that any of its cases came to.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

struct LawRow {
  std::string scenario;
  std::map<std::string, State> worst;  // by law
  int64_t cases = 0, skipped = 0;
};
// Of one candidate, in the order in which scenarios come first.
std::vector<LawRow> law_rows(const RunResult& run, const std::string& candidate);
// In the order in which they come first.
std::vector<std::string> candidates_of(const RunResult& run);
// "ok", "FAIL": what a cell says.
std::string_view state_word(State state);

}  // namespace reloadlab::sim
