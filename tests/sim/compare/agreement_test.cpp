#include "sim/compare/agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "sim/compare/projection.h"
#include "tests/sim/compare/evidence_pair.h"

namespace reloadlab::sim {
namespace {

class Agreement : public testing::Test {
 protected:
  Evidence sim = evidence_in(WorldKind::sim), cuda = evidence_in(WorldKind::cuda);
  Row row(const std::string& what) const { return row_of(hold_against(sim, cuda), what); }
  Event& event(size_t index) { return run_of(cuda).events[index]; }
};

void expect(const Row& row, Row::State state, const std::string& part) {
  EXPECT_EQ(row.state, state) << row.what << ": " << row.says;
  EXPECT_NE(row.says.find(part), std::string::npos) << row.says;
}

TEST_F(Agreement, SerialNumbersOfWorldsAreNoDifference) {
  expect(row("outcomes"), Row::State::agrees, "2 steps on 1 rank");
  expect(row("sequence"), Row::State::agrees, "8 operations of communicator all, communicator some, host, stream 0");
  expect(row("order"), Row::State::agrees, "that of each host");
  expect(row("content"), Row::State::agrees, "2 tensors");
  expect(row("peak bytes"), Row::State::agrees, "64 at most");
  expect(row("pass time"), Row::State::left_out, "does not say what things take");
}

TEST_F(Agreement, ReadsAreOfTheVersionWhoseBytesTheyAre) {
  const Projection projection = project(sim, sim.executions.back(), 0, 2, [](const auto&) { return true; });
  EXPECT_EQ(projection.lanes.at("stream 0")[0]->what, "read of a.weight at A");
  EXPECT_EQ(projection.lanes.at("stream 0")[0]->place, "communicator all, 0");
  run_of(cuda).reads[1].content = cuda.executions[1].ranks[0].censuses[0].entries[1].content;
  expect(row("sequence"), Row::State::differs, "sim: read of b.weight at A (step 1");
  expect(row("content"), Row::State::differs, "what is read of b.weight");
}

TEST_F(Agreement, AnOperationHasItsBytesLayerAndStream) {
  event(1).numel = 8;
  expect(row("sequence"), Row::State::differs, "communicator all, operation 0: sim: broadcast root 0 of all, 4 bytes, a");
  event(1).numel = 4;
  event(1).layer = 1;
  expect(row("sequence"), Row::State::differs, "4 bytes, b");
  event(1).layer = 0;
  run_of(cuda).reads[1].stream = 1;
  expect(row("sequence"), Row::State::differs, "stream 0, operation 1");
}

TEST_F(Agreement, AMissingOperationIsADifference) {
  run_of(cuda).events.pop_back();
  expect(row("sequence"), Row::State::differs, "cuda: nothing more");
}

TEST_F(Agreement, MemoryThatIsSharedOtherwiseIsADifference) {
  event(5).value = event(1).value;
  expect(row("sequence"), Row::State::differs, "in the memory of communicator all, 0");
}

// Which operator writes, and which of writes behind one another comes first, is the device's matter; what stands between them is not.
TEST_F(Agreement, WritesBehindOneAnotherHaveNoOrder) {
  const auto write = [](int layer, const std::string& text) {
    return Event{.kind = EventKind::write_kernel, .step = 1, .layer = layer, .numel = 4, .text = text};
  };
  auto& here = run_of(sim).events;
  here.insert(here.end(), {write(0, "weight aten::copy_"), write(1, "weight aten::copy_")});
  auto& there = run_of(cuda).events;
  there.insert(there.end(), {write(1, "weight aten::_foreach_copy_"), write(0, "weight aten::_foreach_copy_")});
  expect(row("sequence"), Row::State::agrees, "10 operations");
  there.insert(there.end() - 1, Event{.kind = EventKind::copied_back, .step = 1, .layer = 1});
  here.insert(here.end() - 1, Event{.kind = EventKind::copied_back, .step = 1, .layer = 1});
  expect(row("sequence"), Row::State::differs, "write_kernel");
}

// Both communicators behind one thing that the host did: what stands between them is nobody's order.
TEST_F(Agreement, StreamsMayTakeTurnsWhereNothingOrdersThem) {
  for (Evidence* each : {&sim, &cuda}) {
    std::vector<Event>& events = run_of(*each).events;
    events = {events[0], events[1], events[5], events[3], events[7]};
  }
  expect(row("order"), Row::State::agrees, "that of each host");
  std::swap(event(1), event(2));
  expect(row("sequence"), Row::State::agrees, "5 operations");
  expect(row("order"), Row::State::agrees, "2 operations elsewhere, where neither orders them");
}

// A read of another stream into whose memory a broadcast comes: the host does nothing in between.
TEST_F(Agreement, WhatTouchesTheSameMemoryIsInOrder) {
  for (Evidence* each : {&sim, &cuda}) {
    std::vector<Event>& events = run_of(*each).events;
    events = {events[0], events[1], events[5], events[1], events[3]};
    events[2].value = run_of(*each).reads[0].storage;
  }
  EXPECT_EQ(row("order").state, Row::State::agrees);
  std::swap(event(2), event(3));
  expect(row("order"), Row::State::differs, "communicator all, 0, operation 1: sim: broadcast root 0 of some");
}

TEST_F(Agreement, PeaksAreEqualButForHostsOnPlainCpu) {
  run_of(cuda).outcomes[1].peak_bytes = 80;
  expect(row("peak bytes"), Row::State::differs, "rank 0, step 1 pass: sim 64, cuda 80 bytes");
  cuda.the_case.world = WorldKind::cpu;
  expect(row("peak bytes"), Row::State::known, "16 more at most on cpu");
  run_of(cuda).outcomes[1].peak_bytes = 48;
  expect(row("peak bytes"), Row::State::differs, "cpu 48");
}

TEST_F(Agreement, WhereAStepEndsOtherwiseTheRestIsComparedUpToThere) {
  run_of(cuda).outcomes[1].status = Status(Code::failed, "no");
  run_of(cuda).events.clear();
  expect(row("outcomes"), Row::State::differs, "rank 0, step 1 pass: sim ends well; cuda failed: no");
  expect(row("sequence"), Row::State::agrees, "0 operations");
}

TEST_F(Agreement, ACaptureThatOnlyModelledDevicesRefuseIsKnown) {
  for (Evidence* each : {&sim, &cuda}) each->executions.back().steps[1].kind = StepKind::capture;
  run_of(sim).outcomes[1].status = Status(Code::failed, "capture: stream 3 of sim:0 was forked and never joined");
  expect(row("outcomes"), Row::State::known, "PyTorch 2.11 with NCCL 2.28 ends a capture");
  std::swap(run_of(sim).outcomes[1].status, run_of(cuda).outcomes[1].status);
  EXPECT_EQ(row("outcomes").state, Row::State::differs);
}

TEST_F(Agreement, ACollectiveThatRanksAskForDifferentlyIsKnownNotToEndWhereItIsModelled) {
  run_of(sim).outcomes.pop_back();
  expect(row("outcomes"), Row::State::differs, "step 1 pass: sim does not end; cuda ends well");
  sim.executions.back().waits = {"stream 1 of rank 0: broadcast #2 of all, which cannot complete: rank 1 issued 4 bytes, others 8"};
  expect(row("outcomes"), Row::State::known, "NCCL does not look whether ranks ask for the same");
  run_of(cuda).outcomes[1].status = Status(Code::failed, "no");
  EXPECT_EQ(row("outcomes").state, Row::State::differs);
  std::swap(sim.executions.back().waits, cuda.executions.back().waits);
  run_of(cuda).outcomes.pop_back();
  run_of(sim).outcomes.push_back({.step = 1});
  EXPECT_EQ(row("outcomes").state, Row::State::differs) << "a real collective that never ends is the candidate's";
}

TEST_F(Agreement, ADeviceThatIsLostToARaceIsKnown) {
  run_of(cuda).outcomes.pop_back();
  cuda.executions.back().stopped = "lost: rank 0: CUDA error: an illegal memory access was encountered";
  expect(row("outcomes"), Row::State::differs, "step 1 pass: sim ends well; cuda does not end");
  run_of(sim).races.emplace_back();
  expect(row("outcomes"), Row::State::known, "real devices are lost with it");
  cuda.executions.back().stopped = "hang: rank 0: nothing was heard of it";
  EXPECT_EQ(row("outcomes").state, Row::State::differs);
}

TEST_F(Agreement, PassesArePredictedWithinATenth) {
  for (Evidence* each : {&sim, &cuda}) {
    each->the_case.timing.emplace();
    run_of(*each).paces = {{.step = 0, .begin = 0, .end = 5}, {.step = 1, .begin = 0, .end = 10'000'000'000, .waited = 1'000'000'000}};
  }
  run_of(cuda).paces[1].end = 10'900'000'000;
  expect(row("pass time"), Row::State::agrees, "10000.0 us predicted, 10900.0 us measured, the mean of 1 pass");
  expect(row("exposed wait"), Row::State::agrees, "1000.0 us predicted, 1000.0 us measured");
  run_of(cuda).paces[1].end = 11'200'000'000;
  expect(row("pass time"), Row::State::differs, "11200.0 us measured");
  run_of(cuda).paces[1].waited = 1'250'000'000;
  expect(row("exposed wait"), Row::State::differs, "1250.0 us measured");
  run_of(cuda).paces[1].waited = 1'220'000'000;
  EXPECT_EQ(row("exposed wait").state, Row::State::agrees) << "a fiftieth of the pass";
  run_of(sim).paces[1].end = 4'900'000'000;
  expect(row("pass time"), Row::State::left_out, "4900.0 us predicted, 11200.0 us measured, the mean of 1 pass: too short");
}

BlobPtr number(float value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return std::make_shared<Blob>(Blob{{}, bytes});
}

// What a checkpoint's cold load leaves in each world, and what is read.
void hold(Evidence& evidence, float value) {
  run_of(evidence).reads[1].content = evidence.executions[0].ranks[0].censuses[0].entries[1].content = number(value);
}

TEST_F(Agreement, DevicesRoundForThemselves) {
  hold(sim, 1.0F);
  hold(cuda, std::nextafter(1.0F, 2.0F));
  expect(row("content"), Row::State::known, "2 tensors, 1 of them but for the last bit");
  expect(row("sequence"), Row::State::agrees, "8 operations");
  hold(cuda, std::nextafter(std::nextafter(1.0F, 2.0F), 2.0F));
  expect(row("content"), Row::State::differs, "what is read of b.weight");
  hold(cuda, std::nextafter(1.0F, 2.0F));
  cuda.the_case.world = WorldKind::cpu;
  expect(row("content"), Row::State::differs, "what is read of b.weight");
}

TEST_F(Agreement, AVersionIsThatOfTheLastLoadWhereSeveralHaveItsBytes) {
  ASSERT_EQ(sim.executions[1].variation.name, "B");
  sim.executions.back().steps[0].plan.checkpoint = cuda.executions.back().steps[0].plan.checkpoint = "B";
  hold(sim, 1.0F);
  sim.executions[1].ranks[0].censuses[0].entries[1].content = number(1.0F);
  hold(cuda, 2.0F);
  run_of(cuda).reads[1].content = cuda.executions[1].ranks[0].censuses[0].entries[1].content = number(1.0F);
  expect(row("sequence"), Row::State::agrees, "8 operations");
}

TEST_F(Agreement, WhatDevicesRoundHasNoVersion) {
  const float next = std::nextafter(1.0F, 2.0F);
  for (Evidence* each : {&sim, &cuda}) {
    each->executions.back().steps[0].plan.checkpoint = "B";
    hold(*each, 1.0F);
    each->executions[1].ranks[0].censuses[0].entries[1].content = number(each == &sim ? 1.0F : next);
  }
  expect(row("sequence"), Row::State::agrees, "8 operations");
  sim.executions[1].ranks[0].censuses[0].entries[1].content = number(next);
  run_of(sim).reads[1].content = number(next);
  expect(row("sequence"), Row::State::differs, "sim: read of b.weight at B");
}

TEST_F(Agreement, WhatRacesMayFindEither) {
  run_of(cuda).reads[1].content = cuda.executions[1].ranks[0].censuses[0].entries[1].content;
  const RankRun::Access write{.step = 1, .writes = true};
  run_of(sim).races.push_back({.first = write, .second = {.about = "step 1: forward of a", .step = 1}});
  expect(row("sequence"), Row::State::differs, "read of b.weight at B");
  run_of(sim).races.push_back({.first = write, .second = {.about = "step 1: forward of b", .step = 1}});
  expect(row("sequence"), Row::State::agrees, "8 operations");
  expect(row("content"), Row::State::known, "0 tensors; 2 reads that race may find either");
}

TEST_F(Agreement, BytesAreComparedWhereBothWorldsHaveSome) {
  cuda.the_case.world = WorldKind::meta;
  for (RankRun::Read& read : run_of(cuda).reads) read.content = nullptr;
  expect(row("content"), Row::State::left_out, "world meta has no bytes");
  expect(row("sequence"), Row::State::agrees, "8 operations");
}

}  // namespace
}  // namespace reloadlab::sim
