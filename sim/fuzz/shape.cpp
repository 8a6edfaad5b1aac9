#include "sim/fuzz/shape.h"

#include <set>

#include "reference/base/prng.h"

namespace reloadlab::sim::fuzz {
namespace {

uint64_t kind_of(const Execution& execution, int step) {
  if (step < 0 || static_cast<size_t>(step) >= execution.steps.size()) return 255;
  const Step& one = execution.steps[static_cast<size_t>(step)];
  return static_cast<uint64_t>(one.kind) << 2 | (one.fault ? 2U : 0U) | (one.abort_after ? 1U : 0U);
}

void add_ways(const Execution& execution, const RankRun& run, std::set<uint64_t>& ways) {
  uint64_t before = 255;
  for (const Event& event : run.events) {
    const auto kind = static_cast<uint64_t>(event.kind);
    ways.insert(kind_of(execution, event.step) << 16 | before << 8 | kind);
    before = kind;
  }
  for (const StepOutcome& outcome : run.outcomes)
    ways.insert(1ULL << 32 | kind_of(execution, outcome.step) << 16 | static_cast<uint64_t>(outcome.status.code()) << 2 |
                (outcome.crashed ? 2U : 0U) | (outcome.unusable ? 1U : 0U));
}

}  // namespace

uint64_t shape_of(const Evidence& evidence) {
  std::set<uint64_t> ways;
  if (const Execution* warm = evidence.find(Variation::Kind::warm))
    for (const RankRun& run : warm->ranks) add_ways(*warm, run, ways);
  uint64_t shape = 0;
  for (const uint64_t way : ways) shape = mix64(shape ^ way);
  return shape;
}

}  // namespace reloadlab::sim::fuzz
