#include "sim/replay/order_seen.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

RankRun::Access access(const RacingAccess& seen) { return {seen.stream, seen.operation, seen.about.text, seen.about.step, seen.writes}; }

void note_timeline(const SeenOrder& seen, Execution& execution) {
  for (DeviceStep& step : seen.timeline())
    execution.timeline.push_back({.rank = step.rank,
                                  .stream = std::move(step.stream),
                                  .operation = std::move(step.operation),
                                  .about = std::move(step.about.text),
                                  .step = step.about.step,
                                  .model = step.about.model,
                                  .start = step.start,
                                  .end = step.end,
                                  .point = step.point});
}

}  // namespace

bool order_is_seen(const Case& the_case, const Variation& variation) {
  return variation.kind == Variation::Kind::warm && the_case.brings_from(LoadPlan::Source::stream);
}

void note_races(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution) {
  for (RankRun& run : execution.ranks) run.unseen = seen.unseen();
  int64_t number = 0;
  for (const SeenRace& race : seen.races()) {
    const auto at = static_cast<size_t>(std::ranges::lower_bound(numbers, race.second.rank) - numbers.begin());
    execution.ranks[at].races.push_back(
        {.first = access(race.first), .second = access(race.second), .turned = race.turned, .number = number++});
  }
}

void note_order(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution) {
  note_timeline(seen, execution);
  note_races(seen, numbers, execution);
}

}  // namespace reloadlab::sim
