#include "sim/evidence/behaviour.h"

#include <gtest/gtest.h>

namespace reloadlab::tests {
namespace {

using namespace sim;

BlobPtr blob(uint64_t print) { return std::make_shared<Blob>(Blob{{print, 0}, {}}); }

CensusEntry weight(int64_t storage, uint64_t print) {
  return {.path = "fc.weight", .layer = "fc", .storage = storage, .content = blob(print)};
}

// A reload of one layer that stays where it is, written at the second of two loads.
Evidence evidence(int64_t serials) {
  Evidence all{.layers = {"fc"}};
  Execution& warm = all.executions.emplace_back();
  warm.ranks.resize(1);
  RankRun& run = warm.ranks[0];
  run.outcomes = {{.step = 0}, {.step = 1, .load_statuses = std::vector<Status>(2)}};
  run.censuses = {{0, {weight(serials, 1)}, {}, {}}, {1, {weight(serials, 2)}, {}, {}}};
  run.events = {{.kind = EventKind::write_kernel, .step = 1, .load = 0, .layer = 0},
                {.kind = EventKind::load_counted, .step = 1, .load = 1, .layer = 0, .numel = serials},
                {.kind = EventKind::post_load_end, .step = 1, .load = 1, .layer = 0},
                {.kind = EventKind::write_kernel, .step = 1, .load = 1, .layer = 0}};
  return all;
}

RankRun& run_of(Evidence& all) { return all.executions.back().ranks[0]; }

Disagreement only_difference(const Evidence& other) {
  const auto found = disagreements(behaviour_of(evidence(3)), behaviour_of(other));
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? Disagreement{} : found[0];
}

void expect(const Disagreement& found, const std::string& aspect, const std::string& place, const std::string& one,
            const std::string& other) {
  EXPECT_EQ(found.aspect, aspect);
  EXPECT_EQ(found.place, place);
  EXPECT_EQ(found.one, one);
  EXPECT_EQ(found.other, other);
}

TEST(Behaviour, SerialNumbersAndHintsAreNoPartOfIt) {
  EXPECT_TRUE(disagreements(behaviour_of(evidence(3)), behaviour_of(evidence(70))).empty());
  EXPECT_FALSE(behaviour_of(evidence(3)).empty());
}

TEST(Behaviour, OtherBytesAreADifference) {
  Evidence other = evidence(3);
  run_of(other).censuses[1].entries[0].content = blob(9);
  expect(only_difference(other), "bytes", "rank 0, step 1: fc.weight", "00000000000000020000000000000000",
         "00000000000000090000000000000000");
}

TEST(Behaviour, ATensorThatMovesIsADifference) {
  Evidence other = evidence(3);
  run_of(other).censuses[1].entries[0].storage = 4;
  expect(only_difference(other), "addresses", "rank 0, step 1: fc.weight", "kept", "lost");
}

TEST(Behaviour, ACallThatFailsIsADifferenceWhateverItSays) {
  Evidence other = evidence(3);
  run_of(other).outcomes[1].load_statuses[1] = Status(Code::failed, "boom");
  expect(only_difference(other), "errors", "rank 0, step 1: load 1", "succeeds", "fails");
  Evidence another = other;
  run_of(another).outcomes[1].load_statuses[1] = Status(Code::rejected, "no");
  EXPECT_TRUE(disagreements(behaviour_of(other), behaviour_of(another)).empty());
  run_of(other) = run_of(another);
  run_of(other).outcomes[1].load_statuses[1] = Status();
  run_of(other).outcomes[1].crashed = true;
  expect(only_difference(other), "errors", "rank 0, step 1: the step", "succeeds", "an exception leaves it");
}

TEST(Behaviour, ALayerThatIsCompleteLaterIsADifference) {
  Evidence other = evidence(3);
  run_of(other).events.push_back({.kind = EventKind::write_kernel, .step = 1, .load = -1, .layer = 0});
  expect(only_difference(other), "completion", "rank 0, step 1: kernel tensors of fc", "at load 1", "outside of load calls");
}

TEST(Behaviour, WhatOneDoesNotHaveIsADifference) {
  Evidence other = evidence(3);
  run_of(other).censuses[1].entries.clear();
  const auto found = disagreements(behaviour_of(evidence(3)), behaviour_of(other));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].aspect, "bytes");
  EXPECT_EQ(found[0].other, "nothing");
  EXPECT_EQ(disagreements(behaviour_of(other), behaviour_of(evidence(3)))[0].one, "nothing");
}

}  // namespace
}  // namespace reloadlab::tests
