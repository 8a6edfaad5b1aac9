#include "tests/sim/compare/evidence_pair.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace reloadlab::sim {
namespace {

BlobPtr bytes(unsigned char value) { return std::make_shared<Blob>(Blob{{}, Bytes(4, std::byte{value})}); }

Execution cold(const std::string& name, unsigned char value) {
  Execution execution{.variation = {.kind = Variation::Kind::cold, .name = name}, .steps = {{.kind = StepKind::load}}};
  Census census{.step = 0, .entries = {}, .derived = {}, .flags = {}};
  for (const char* layer : {"a", "b"})
    census.entries.push_back({.path = std::string(layer) + ".weight", .layer = layer, .shape = {1}, .content = bytes(value)});
  execution.ranks.resize(1);
  execution.ranks[0].censuses.push_back(std::move(census));
  return execution;
}

// Serial numbers begin somewhere else in each world.
void pass(RankRun& run, int64_t serials) {
  for (int layer = 0; layer < 2; ++layer) {
    const std::string group = layer == 0 ? "all" : "some";
    const int64_t storage = serials + 7 * layer;
    run.events.push_back({.kind = EventKind::reach_begin, .step = 1, .layer = layer});
    run.events.push_back(
        {.kind = EventKind::collective, .step = 1, .layer = layer, .numel = 4, .value = storage, .text = "broadcast root 0 of " + group});
    run.events.push_back({.kind = EventKind::reach_end, .step = 1, .layer = layer});
    run.events.push_back({.kind = EventKind::read, .step = 1, .layer = layer, .value = layer, .text = "weight"});
    run.reads.push_back({.step = 1, .layer = layer, .slot = "weight", .storage = storage, .shape = {1}, .content = bytes(1)});
  }
}

}  // namespace

Evidence evidence_in(WorldKind world) {
  Evidence evidence{.candidate = "some@one", .layers = {"a", "b"}};
  evidence.the_case.scenario = "pair";
  evidence.the_case.world = world;
  evidence.the_case.series.push_back({.name = "o", .layers = {"a", "b"}});
  evidence.the_case.steps = {{.kind = StepKind::load}, {.kind = StepKind::pass}};
  evidence.plan.resize(1);
  evidence.executions = {cold("A", 1), cold("B", 2)};
  Execution& warm = evidence.executions.emplace_back();
  warm.steps = evidence.the_case.steps;
  warm.ranks.resize(1);
  pass(warm.ranks[0], world == WorldKind::cuda ? 100 : 3);
  for (int step = 0; step < 2; ++step) warm.ranks[0].outcomes.push_back({.step = step, .peak_bytes = 64});
  return evidence;
}

RankRun& run_of(Evidence& evidence) { return evidence.executions.back().ranks[0]; }

Row row_of(const std::vector<Row>& rows, const std::string& what) {
  const auto found = std::ranges::find(rows, what, &Row::what);
  EXPECT_NE(found, rows.end()) << what;
  return found == rows.end() ? Row{} : *found;
}

}  // namespace reloadlab::sim
