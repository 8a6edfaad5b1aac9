#pragma once
// Differences between candidates that somebody has looked at, for `compare --by events --known FILE`:
//
//   reloadlab: 1
//   known:
//     - {first: layerwise@seed, candidate: vllm@0.17.1, scenario: repeated-shard, aspect: errors, reason: it warns where the seed fails}
//
// An entry holds for the cases of its scenario, a glob, in which that aspect differs. One that fits nothing that was played is told.
// `says`, a glob too, is for drawn cases, whose names say nothing: it wants the difference to read so, "PLACE: ONE | OTHER" as it is
// printed.
#include <filesystem>
#include <string>
#include <vector>

#include "sim/compare/differential.h"

namespace reloadlab::sim {

struct KnownDifference {
  std::string first, candidate, scenario, aspect, reason;
  std::string says = "*";
  Position at = {};
  bool fits(const Differing& one, const Disagreement& row) const;
};

// Code::data with one file:line:column: message a line.
Result<std::vector<KnownDifference>> parse_known_differences(std::string_view text, const std::string& file_name);
Result<std::vector<KnownDifference>> read_known_differences(const std::filesystem::path& file);

// Marks what is known, with its reason. Returns a line for each entry that spoke of cases that were compared and fits none of them.
std::vector<std::string> mark_known(const std::vector<KnownDifference>& known, const std::string& file_name, std::vector<Differing>& all);

}  // namespace reloadlab::sim
