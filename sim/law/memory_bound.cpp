#include "sim/law/memory_bound.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/evidence/values.h"
#include "sim/law/laws.h"

namespace reloadlab::sim {
namespace {

enum class Came {
  no,       // the update ended before
  to_fail,  // that call failed, or the end of the step did
  through,
};

// How far a step came with its loads. There may be tens of thousands, so the first that failed is looked for once.
class PeakProgress {
 public:
  explicit PeakProgress(const StepOutcome& outcome)
      : outcome_(outcome),
        first_failed_(std::ranges::find_if(outcome.load_statuses, [](const Status& status) { return !status.ok(); }) -
                      outcome.load_statuses.begin()) {}

  int step() const { return outcome_.step; }

  // How far it came with the load call; -1: with what comes after the loads.
  Came came(int load) const {
    const int64_t all = std::ssize(outcome_.load_statuses);
    if (load < 0) return first_failed_ < all ? Came::no : outcome_.status.ok() ? Came::through : Came::to_fail;
    if (load >= all || load > first_failed_) return Came::no;
    return load == first_failed_ ? Came::to_fail : Came::through;
  }

 private:
  const StepOutcome& outcome_;
  int64_t first_failed_;
};

std::optional<PeakPair> peak_of(const Evidence& evidence, const RankRun& run, size_t rank, StepRange update) {
  PeakPair pair{.rank = static_cast<int>(rank), .update = update};
  for (int step = update.first; step <= update.last; ++step) {
    const StepOutcome* outcome = outcome_of(run, step);
    if (!outcome) return std::nullopt;
    pair.seen = std::max(pair.seen, outcome->extra_bytes_peak);
  }
  std::optional<PeakProgress> progress;  // of the last peak's step
  for (const RankPlan::Peak& peak : evidence.plan[rank].peaks) {
    if (!update.has(peak.step)) continue;
    if (!progress || progress->step() != peak.step) progress.emplace(*outcome_of(run, peak.step));
    const Came far = progress->came(peak.load);
    if (far != Came::no) pair.planned = std::max(pair.planned, far == Came::through ? peak.extra_bytes : peak.extra_bytes_failed);
    if (far == Came::through) pair.planned_before = std::max(pair.planned_before, peak.extra_bytes);
  }
  return progress ? std::optional(pair) : std::nullopt;
}

Finding peak_finding(const PeakPair& pair, std::string what) {
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
      return tally.fail(peak_finding(pair, fmt::format("{} extra bytes at the peak, {} allows {}", count_text(pair.seen),
                                                       limit ? "the scenario's limit" : "the formula", count_text(bound))));
    const StepOutcome* end = outcome_of(warm->ranks[static_cast<size_t>(pair.rank)], pair.update.last);
    if (!end->status.ok()) continue;
    tally.check();
    if (end->extra_bytes_after > 0)
      return tally.fail(peak_finding(pair, fmt::format("{} extra bytes are kept after the update", count_text(end->extra_bytes_after))));
  }
  return tally.done("no update ran to its end");
}

}  // namespace reloadlab::sim
