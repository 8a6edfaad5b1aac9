#include "sim/evidence/ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace reloadlab::sim {
namespace {

std::string place_of(const CensusEntry& entry) {
  if (entry.kind == CensusEntry::Kind::extra_host) return "on the host";
  if (entry.kind == CensusEntry::Kind::empty_parameter || entry.kind == CensusEntry::Kind::empty_buffer) return "empty";
  const std::string what = fmt::format("{} [{}]", dtype_name(entry.dtype), fmt::join(entry.shape, ", "));
  return entry.on_meta ? what + " on meta" : fmt::format("{} in storage {} from {}", what, entry.storage, entry.offset);
}

}  // namespace

std::vector<PlaceChange> place_changes(const RankRun& run) {
  std::vector<PlaceChange> changes;
  std::map<std::string, std::string> known;
  for (const Census& census : run.censuses) {
    std::map<std::string, std::string> now;
    for (const CensusEntry& entry : census.entries) now.emplace(entry.path, place_of(entry));
    for (const auto& [tensor, place] : known)
      if (!now.contains(tensor)) changes.push_back({census.step, tensor, ""});
    for (const CensusEntry& entry : census.entries) {
      const auto before = known.find(entry.path);
      if (before == known.end() || before->second != now.at(entry.path)) changes.push_back({census.step, entry.path, now.at(entry.path)});
    }
    known = std::move(now);
  }
  return changes;
}

}  // namespace reloadlab::sim
