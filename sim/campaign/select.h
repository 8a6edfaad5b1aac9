#pragma once
// Which cases run with which candidates.
#include <optional>
#include <string>
#include <vector>

#include "sim/campaign/attempt.h"
#include "sim/campaign/shard.h"

namespace reloadlab::sim {

struct Selection {
  std::vector<std::string> paths;       // files and folders
  std::vector<std::string> candidates;  // empty: the profiles of each scenario's system
  std::optional<WorldKind> world;
  std::optional<WorldKind> on;  // cases of world cpu are played in this one, beside its own, and others not at all
  std::optional<int> ranks;
  std::optional<uint64_t> delays;  // given: cases on world cuda where order counts, with these
  std::vector<std::string> tags;   // any of them
  std::vector<std::string> names;  // globs over case ids and scenario names; any of them
  std::vector<std::string> laws;   // judge these only
  uint64_t seed = 0;
  std::optional<Shard> shard;  // of the cases that are left after all of that; none: all of them
};

struct Selected {
  std::vector<Case> all;    // of the files, before any filter
  std::vector<Case> cases;  // after it, `laws` narrowed
  size_t sharded = 0;       // so many were dealt to shards
};

// Code::usage for names that mean nothing (with the nearest that does), Code::data for files with errors, all of them at once.
Result<Selected> select_cases(const Selection& selection, const Engine& engine);
// For people: why not one case was left, and which there are to ask for.
std::string why_no_case(const Selection& selection, const Selected& selected);
// Cases × candidates, candidates of another system left out. Code::usage for a candidate that is not there.
Result<std::vector<Job>> select_jobs(const Selection& selection, const std::vector<Case>& cases, const Engine& engine);

}  // namespace reloadlab::sim
