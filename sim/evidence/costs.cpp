#include "sim/evidence/costs.h"

#include <algorithm>

namespace reloadlab::sim {
namespace {

// The candidate's own word, which it may leave out.
bool is_hint(EventKind kind) {
  using enum EventKind;
  constexpr EventKind hints[] = {load_counted, load_dropped, completed, processed, copied_back, armed, disarmed, warning};
  return std::ranges::find(hints, kind) != std::end(hints);
}

void add_event(const Event& event, Costs& costs) {
  costs.events += !is_hint(event.kind);
  if (event.kind != EventKind::collective) return;
  ++costs.copies;
  costs.bytes_moved += event.numel;
}

void add_rank(const RankRun& run, Costs& costs) {
  for (const Event& event : run.events) add_event(event, costs);
  int64_t peak = 0;
  for (const StepOutcome& outcome : run.outcomes) {
    costs.copies += outcome.copies;
    costs.bytes_moved += outcome.copied_bytes;
    peak = std::max(peak, outcome.peak_bytes);
  }
  costs.peak_bytes += peak;
}

}  // namespace

std::optional<Costs> costs_of(const Evidence& evidence) {
  const Execution* warm = evidence.find(Variation::Kind::warm);
  if (!warm) return std::nullopt;
  Costs costs;
  for (const RankRun& run : warm->ranks) add_rank(run, costs);
  return costs;
}

}  // namespace reloadlab::sim
