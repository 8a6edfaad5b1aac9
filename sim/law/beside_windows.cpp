// What a model with series has in no window: companions of its weights, and layers that are in no series.
#include <algorithm>
#include <optional>

#include "sim/law/compare.h"
#include "sim/law/ring.h"

namespace reloadlab::sim {
namespace {

// The checkpoint that everything outside of series was last loaded from; nothing where an update of it did not end well on the rank.
std::optional<std::string> loaded_last(const Execution& execution, const RankRun& run) {
  std::string checkpoint;
  for (int i = 0; i < static_cast<int>(execution.steps.size()); ++i) {
    const Step& step = execution.steps[static_cast<size_t>(i)];
    const bool whole = step.kind == StepKind::load || (step.kind == StepKind::reload && step.via == Via::layerwise);
    const StepOutcome* outcome = outcome_of(run, i);
    if (!outcome || ((whole || step.kind == StepKind::reload) && !outcome->status.ok())) return std::nullopt;
    if (whole && !step.abort_after) checkpoint = step.plan.checkpoint;
  }
  return checkpoint;
}

}  // namespace

std::optional<Finding> judge_beside_windows(const Evidence& evidence, const Execution& execution, size_t rank, Tally& tally) {
  const RankRun& run = execution.ranks[rank];
  const auto last = static_cast<int>(execution.steps.size()) - 1;
  const std::optional<std::string> outside = loaded_last(execution, run);
  const Census* census = census_after(run, last);
  if (!census || !outside || !execution.stopped.empty()) return std::nullopt;
  for (const CensusEntry& entry : census->entries) {
    const Place place = place_of(evidence, layer_index(evidence, entry.layer));
    const Census* cold =
        cold_census(evidence, place.series ? committed(evidence, execution, *place.series, rank, last + 1) : *outside, rank);
    const CensusEntry* meant = cold ? cold->find(entry.path) : nullptr;
    if (!meant || !meant->content) continue;
    tally.check();
    if (const auto difference = compare(&entry, {.entry = meant, .bytes = &meant->content->bytes, .other = nullptr, .origin = {}}))
      return Finding{.step = last, .tensor = entry.path, .what = difference->what, .first = difference->first};
  }
  return std::nullopt;
}

}  // namespace reloadlab::sim
