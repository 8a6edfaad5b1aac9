#include "sim/evidence/costs.h"

#include <gtest/gtest.h>

namespace reloadlab::tests {
namespace {

using namespace sim;

Evidence two_ranks() {
  Evidence evidence;
  Execution& cold = evidence.executions.emplace_back(Execution{.variation = {.kind = Variation::Kind::cold}});
  cold.ranks = {RankRun{.outcomes = {{.step = 0, .peak_bytes = 1000, .copies = 100}}}};
  Execution& warm = evidence.executions.emplace_back();
  warm.ranks = std::vector<RankRun>(2);
  warm.ranks[0].outcomes = {{.step = 0, .peak_bytes = 64, .copies = 2, .copied_bytes = 16},
                            {.step = 1, .peak_bytes = 40, .copies = 1, .copied_bytes = 8}};
  warm.ranks[1].outcomes = {{.step = 0, .peak_bytes = 50}};
  warm.ranks[1].events = {{.kind = EventKind::collective, .numel = 32}, {.kind = EventKind::alloc, .numel = 7}};
  return evidence;
}

TEST(Costs, CountTheWarmExecutionOnAllRanks) {
  EXPECT_EQ(costs_of(two_ranks()), (Costs{.copies = 4, .bytes_moved = 56, .peak_bytes = 114, .events = 2}));
}

TEST(Costs, WhatTheCandidateSaysOfItselfCostsNothing) {
  Evidence evidence = two_ranks();
  std::vector<Event>& events = evidence.executions.back().ranks[0].events;
  for (const EventKind hint : {EventKind::load_counted, EventKind::load_dropped, EventKind::completed, EventKind::processed,
                               EventKind::copied_back, EventKind::armed, EventKind::disarmed, EventKind::warning})
    events.push_back({.kind = hint});
  EXPECT_EQ(costs_of(evidence)->events, 2);
  events.push_back({.kind = EventKind::write_kernel});
  EXPECT_EQ(costs_of(evidence)->events, 3);
}

TEST(Costs, OfWhatWasNotPlayedThereAreNone) { EXPECT_FALSE(costs_of(Evidence{})); }

}  // namespace
}  // namespace reloadlab::tests
