#pragma once
// How much of a run of a case with series is looked at. Every view keeps to all of it.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace reloadlab::sim {

struct ViewOptions {
  size_t width = 120;      // characters of a line
  int64_t step = -1;       // of the scenario: only what belongs to it; -1: everything behind the first load
  int64_t most = 200;      // lines of the columns, and of each table of a ring
  std::vector<int> ranks;  // these only; empty: all

  bool has_rank(int rank) const { return ranks.empty() || std::ranges::find(ranks, rank) != ranks.end(); }
  bool has_step(int64_t each) const { return step >= 0 ? each == step : each > 0; }
};

}  // namespace reloadlab::sim
