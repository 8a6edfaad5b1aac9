#include "sim/law/probes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace reloadlab::tests {
namespace {

using namespace sim;

class Probing : public testing::Test {
 protected:
  Probing() {
    evidence.layers = {"a", "b"};
    evidence.plan.resize(1);
    evidence.executions.resize(1);
    evidence.executions[0].steps = {{.kind = StepKind::load},
                                    {.kind = StepKind::capture},
                                    {.kind = StepKind::pass},
                                    {.kind = StepKind::reload},
                                    {.kind = StepKind::replay}};
    evidence.executions[0].ranks.resize(1);
  }
  RankRun& run() { return evidence.executions[0].ranks[0]; }
  void event(EventKind kind, int layer = -1, const std::string& text = {}) {
    run().events.push_back({.kind = kind, .step = 2, .layer = layer, .text = text});
  }
  void expect(const std::vector<std::string>& met) const { EXPECT_EQ(probes_met(evidence), met); }

  Evidence evidence;
};

TEST_F(Probing, WhereNothingOccursNothingIsMet) {
  evidence.plan[0].loads = {{.step = 1, .layer = "a", .completes = true}};
  event(EventKind::collective, 0, "broadcast root 1 of all");
  event(EventKind::reach_begin, 0);
  expect({});
}

TEST_F(Probing, EachIdIsThereOnceAndHasASentence) {
  for (const Probe& probe : probes()) {
    EXPECT_EQ(std::ranges::count(probes(), probe.id, &Probe::id), 1) << probe.id;
    EXPECT_TRUE(probe.sentence.ends_with('.')) << probe.id;
  }
}

TEST_F(Probing, AnExcessLoadCountsBehindCompletionOnly) {
  evidence.plan[0].loads = {{.step = 1, .layer = "a", .excess = true}, {.step = 1, .layer = "a", .completes = true}};
  expect({});
  std::ranges::reverse(evidence.plan[0].loads);
  expect({"excess_after_completion"});
  evidence.plan[0].loads[1].layer = "b";
  expect({});
}

TEST_F(Probing, AnAliasHasNothingOfItsOwn) {
  evidence.plan[0].loads = {{.step = 1, .layer = "a"}};
  run().censuses = {{-1, {{.path = "a.w", .layer = "a", .handle = 4}, {.path = "b.w", .layer = "b", .handle = 4}}, {}, {}}};
  expect({"alias_without_loads"});
  evidence.plan[0].loads.push_back({.step = 1, .layer = "b"});
  expect({});
}

TEST_F(Probing, APassWrapsAroundWhereALayerIsSentForAfterItsTurn) {
  event(EventKind::reach_begin, 0);
  event(EventKind::collective, 1, "broadcast root 1 of all");
  expect({});
  event(EventKind::collective, 0, "broadcast root 1 of all");
  expect({"wrap_around"});
}

TEST_F(Probing, AnOwnerThatReadsIsTheRootOfItsBroadcast) {
  event(EventKind::collective, 0, "broadcast root 1 of all");
  run().reads = {{.step = 2, .layer = 0}};
  expect({});
  evidence.the_case.ranks = 2;
  evidence.numbers = {1};
  expect({"owner_reads"});
}

TEST_F(Probing, WhatPlansAndEventsSayIsMet) {
  evidence.plan[0].missing = {{.step = 1, .layer = "a", .slot = "w", .elements = 1}};
  expect({"incomplete_update"});
  evidence.plan[0].loads = {{.step = 1}};
  expect({"incomplete_update", "unknown_name"});
  event(EventKind::fault);
  event(EventKind::abort_begin);
  expect({"incomplete_update", "unknown_name", "fault_strikes", "update_abandoned"});
}

TEST_F(Probing, AGraphCountsBehindAReloadAndAStreamBesideAnother) {
  run().graph_reads = {{.step = 2}};
  run().reads = {{.step = 2, .layer = 0}};
  expect({});
  run().graph_reads[0].step = 4;
  run().reads.push_back({.step = 2, .layer = 0, .stream = 1});
  expect({"two_streams_read", "graph_after_reload"});
}

}  // namespace
}  // namespace reloadlab::tests
