#include "sim/fuzz/shape.h"

#include <algorithm>

#include "reference/base/prng.h"

namespace reloadlab::sim::fuzz {
namespace {

// What comes many times in a row counts once: how often is a matter of size.
uint64_t shape_of(const RankRun& run, uint64_t shape) {
  uint64_t before = 0;
  for (const Event& event : run.events) {
    const uint64_t one = mix64((static_cast<uint64_t>(event.kind) << 8) ^ static_cast<uint64_t>(event.step + 1));
    if (one == before) continue;
    shape = mix64(shape ^ one);
    before = one;
  }
  for (const StepOutcome& outcome : run.outcomes)
    shape = mix64(shape ^ (static_cast<uint64_t>(outcome.status.code()) << 2) ^ (outcome.crashed ? 2U : 0U) ^ (outcome.unusable ? 1U : 0U));
  return shape;
}

}  // namespace

uint64_t shape_of(const Evidence& evidence) {
  uint64_t shape = 0;
  const Execution* warm = evidence.find(Variation::Kind::warm);
  if (warm == nullptr) return shape;
  for (const Step& step : warm->steps) shape = mix64(shape ^ static_cast<uint64_t>(step.kind));
  for (const RankRun& run : warm->ranks) shape = shape_of(run, shape);
  return shape;
}

}  // namespace reloadlab::sim::fuzz
