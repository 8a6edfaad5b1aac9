#include <fmt/format.h>

#include <map>

#include "sim/law/compare.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// By name the first of all names of the same handle, in the alphabet's order: which of them are one, without serial numbers, and whatever
// the order of slots is.
using Sharing = std::map<std::string_view, std::string_view>;

Sharing sharing_of(const Census& census) {
  std::map<int64_t, std::string_view> first;
  for (const CensusEntry& entry : census.entries)
    if (auto [name, fresh] = first.try_emplace(entry.handle, entry.path); !fresh && entry.path < name->second) name->second = entry.path;
  Sharing names;
  for (const CensusEntry& entry : census.entries) names.emplace(entry.path, entry.handle < 0 ? entry.path : first.at(entry.handle));
  return names;
}

std::optional<std::string> moved(const CensusEntry* now, const CensusEntry& before) {
  if (!now) return "is gone: whoever holds its address reads freed memory";
  if (auto place = compare_place(*now, before)) return place;
  if (now->tensor_class != before.tensor_class) return fmt::format("is a {}, was a {}", now->tensor_class, before.tensor_class);
  return std::nullopt;
}

// Names whose handles were one and are two now, or the other way round.
std::optional<std::string> untied(const Sharing& now, const Sharing& before, const std::string& path) {
  const auto found = now.find(path);
  if (now.size() != before.size() || found == now.end() || found->second == before.at(path)) return std::nullopt;
  const bool was_shared = before.at(path) != path;
  return was_shared ? fmt::format("no longer is the same parameter as {}", before.at(path))
                    : fmt::format("is now the same parameter as {}", found->second);
}

std::optional<Finding> judge_pair(const RestingState& before, const RestingState& now, size_t rank, Tally& tally) {
  const Sharing sharing_before = sharing_of(*before.census), sharing_now = sharing_of(*now.census);
  for (size_t i = 0; i < before.census->entries.size(); ++i) {
    const CensusEntry& was = before.census->entries[i];
    if (was.kind == CensusEntry::Kind::extra_host) continue;
    tally.check();
    auto what = moved(counterpart(*now.census, i, was.path), was);
    if (!what) what = untied(sharing_now, sharing_before, was.path);
    if (what)
      return Finding{.execution = "warm", .rank = static_cast<int>(rank), .step = now.planned.step, .tensor = was.path, .what = *what};
  }
  return std::nullopt;
}

}  // namespace

Verdict judge_address_stable(const Evidence& evidence) {
  Tally tally("address_stable");
  if (!warm_of(evidence)) return tally.done("the scenario's own execution is missing");
  for (size_t rank = 0; rank < evidence.plan.size(); ++rank) {
    const std::vector<RestingState> states = resting_states(evidence, rank);
    for (size_t i = 1; i < states.size(); ++i)
      if (auto finding = judge_pair(states[i - 1], states[i], rank, tally)) return tally.fail(*std::move(finding));
  }
  if (updates_of(*warm_of(evidence)).empty()) return tally.unsupported("the scenario updates nothing");
  const Verdict verdict = tally.done("no update leaves the model at rest");
  if (!evidence.the_case.series.empty() && verdict.outcome == Outcome::inconclusive)
    return tally.unsupported("nothing stands beside the windows, or it is not known how that ended");
  return left_unusable(evidence) ? tally.unusable() : verdict;
}

}  // namespace reloadlab::sim
