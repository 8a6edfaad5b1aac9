#include "sim/law/memory_bound.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/evidence/values.h"
#include "sim/law/laws.h"

namespace reloadlab::sim {
namespace {

// What a forward has registered since the load is a kernel tensor like any other, and is backed up; no plan can know of it.
int64_t late_bytes(const Evidence& evidence, size_t rank, const Census& before) {
  const auto cold = std::ranges::find(evidence.executions, Variation::Kind::cold, [](const Execution& e) { return e.variation.kind; });
  if (cold == evidence.executions.end()) return 0;
  const Census* loaded = cold_census(evidence, cold->variation.name, rank);
  if (!loaded) return 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < before.entries.size(); ++i) {
    const CensusEntry& entry = before.entries[i];
    const bool registered = entry.kind == CensusEntry::Kind::parameter || entry.kind == CensusEntry::Kind::buffer;
    if (registered && !counterpart(*loaded, i, entry.path)) bytes += numel(entry.shape) * dtype_size(entry.dtype);
  }
  return bytes;
}

std::optional<PeakPair> peak_of(const Evidence& evidence, const RankRun& run, size_t rank, StepRange update) {
  PeakPair pair{.rank = static_cast<int>(rank), .update = update};
  bool planned = false;
  for (int step = update.first; step <= update.last; ++step) {
    const StepOutcome* outcome = outcome_of(run, step);
    if (!outcome) return std::nullopt;
    pair.seen = std::max(pair.seen, outcome->extra_bytes_peak);
  }
  for (const RankPlan::Peak& peak : evidence.plan[rank].peaks) {
    if (!update.has(peak.step)) continue;
    planned = true;
    pair.planned = std::max(pair.planned, peak.extra_bytes);
  }
  const auto abort = evidence.declared.find("abort");
  const Census* before = census_after(run, update.first - 1);
  if (before && abort != evidence.declared.end() && abort->second == "backup") pair.planned += late_bytes(evidence, rank, *before);
  return planned ? std::optional(pair) : std::nullopt;
}

Finding finding_of(const PeakPair& pair, std::string what) {
  return {.execution = "warm", .rank = pair.rank, .step = pair.update.last, .what = std::move(what)};
}

}  // namespace

std::vector<PeakPair> memory_peaks(const Evidence& evidence) {
  std::vector<PeakPair> pairs;
  const Execution* warm = warm_of(evidence);
  if (!warm) return pairs;
  for (size_t rank = 0; rank < warm->ranks.size(); ++rank)
    for (const StepRange& update : updates_of(*warm))
      if (auto pair = peak_of(evidence, warm->ranks[rank], rank, update)) pairs.push_back(*pair);
  return pairs;
}

Verdict judge_memory_bound(const Evidence& evidence) {
  Tally tally("memory_bound");
  const Execution* warm = warm_of(evidence);
  if (!warm) return tally.done("the scenario's own execution is missing");
  if (updates_of(*warm).empty()) return tally.unsupported("the scenario updates nothing");
  const std::optional<int64_t> limit = evidence.the_case.limits.extra_bytes;
  for (const PeakPair& pair : memory_peaks(evidence)) {
    const int64_t bound = limit.value_or(pair.planned);
    tally.check();
    if (pair.seen > bound)
      return tally.fail(finding_of(pair, fmt::format("{} extra bytes at the peak, {} allows {}", count_text(pair.seen),
                                                     limit ? "the scenario's limit" : "the formula", count_text(bound))));
    const StepOutcome* end = outcome_of(warm->ranks[static_cast<size_t>(pair.rank)], pair.update.last);
    if (!end->status.ok()) continue;
    tally.check();
    if (end->extra_bytes_after > 0)
      return tally.fail(finding_of(pair, fmt::format("{} extra bytes are kept after the update", count_text(end->extra_bytes_after))));
  }
  return tally.done("no update ran to its end");
}

}  // namespace reloadlab::sim
