#include <fmt/format.h>

#include <map>

#include "sim/law/compare.h"
#include "sim/law/laws.h"
#include "sim/law/reading.h"

namespace reloadlab::sim {
namespace {

// For each entry the index of the first entry with the same handle: the partition into shared handles, without serial numbers.
std::vector<size_t> handle_partition(const Census& census) {
  std::map<int64_t, size_t> first;
  std::vector<size_t> parts;
  for (size_t i = 0; i < census.entries.size(); ++i) {
    const int64_t handle = census.entries[i].handle;
    parts.push_back(handle < 0 ? i : first.try_emplace(handle, i).first->second);
  }
  return parts;
}

std::optional<std::string> moved(const CensusEntry* now, const CensusEntry& before) {
  if (!now) return "is gone: whoever holds its address reads freed memory";
  if (auto place = compare_place(*now, before)) return place;
  if (now->tensor_class != before.tensor_class) return fmt::format("is a {}, was a {}", now->tensor_class, before.tensor_class);
  return std::nullopt;
}

// Names whose handles were one and are two now, or the other way round.
std::optional<std::string> untied(const Census& now, const Census& before, const std::vector<size_t>& parts_now,
                                  const std::vector<size_t>& parts_before, size_t index) {
  if (now.entries.size() != before.entries.size() || now.entries[index].path != before.entries[index].path) return std::nullopt;
  if (parts_now[index] == parts_before[index]) return std::nullopt;
  const bool was_shared = parts_before[index] != index;
  return was_shared ? fmt::format("no longer is the same parameter as {}", before.entries[parts_before[index]].path)
                    : fmt::format("is now the same parameter as {}", now.entries[parts_now[index]].path);
}

std::optional<Finding> judge_pair(const RestingState& before, const RestingState& now, size_t rank, Tally& tally) {
  const std::vector<size_t> parts_before = handle_partition(*before.census), parts_now = handle_partition(*now.census);
  for (size_t i = 0; i < before.census->entries.size(); ++i) {
    const CensusEntry& was = before.census->entries[i];
    if (was.kind == CensusEntry::Kind::extra_host) continue;
    tally.check();
    auto what = moved(counterpart(*now.census, i, was.path), was);
    if (!what) what = untied(*now.census, *before.census, parts_now, parts_before, i);
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
