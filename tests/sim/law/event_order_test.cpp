#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kEventOrder = "event_order";
const Event kWriteNorm{EventKind::write_kernel, kToB, -1, 1, 2, 0, "weight aten::copy_"};

std::string order_broken(const Fixture& fixture) {
  const Verdict verdict = fixture.judge(kEventOrder);
  return verdict.finding ? verdict.finding->tensor + ": " + verdict.finding->what : text(verdict);
}

// A cold load of fc runs one post-load step; so does each reload, before it copies back.
Fixture quantized() {
  Fixture fixture;
  fixture.evidence.the_case.model.layers[0].quant = "tile_permute";
  for (const char* name : {"A", "B"})
    for (int poison : {0, 1})
      fixture.run(Variation::Kind::cold, name, poison).ranks[0].events.push_back({EventKind::post_load_begin, 0, -1, 0});
  for (int step : {kToB, kToA}) {
    fixture.insert_before(event_at(step, EventKind::write_kernel, 0), {EventKind::post_load_begin, step, 1, 0});
    fixture.insert_before(event_at(step, EventKind::write_kernel, 0), {EventKind::post_load_end, step, 1, 0});
  }
  return fixture;
}

TEST(EventOrder, KernelTensorsAreWrittenWithinTheUpdateOnly) {
  Fixture early;
  early.insert_before(event_at(kToB, EventKind::prepare_end), kWriteNorm);
  EXPECT_EQ(text(early.judge(kEventOrder)),
            "fail: warm, rank 0, step 1, norm: a kernel tensor was written outside of loads and finish: weight aten::copy_");
  Fixture late;
  late.insert_after(event_at(kToB, EventKind::finish_end), kWriteNorm);
  EXPECT_EQ(order_broken(late), "norm: a kernel tensor was written outside of loads and finish: weight aten::copy_");
}

TEST(EventOrder, ProcessingComesOncePerUpdate) {
  EXPECT_EQ(order_broken(quantized()), "pass");
  Fixture fixture = quantized();
  fixture.insert_after(event_at(kToB, EventKind::finish_begin), {EventKind::post_load_begin, kToB, -1, 0});
  EXPECT_EQ(order_broken(fixture), "fc: its post-load step ran 2 times in one update, 1 in a cold load");
}

TEST(EventOrder, ProcessingComesAfterTheFirstLoadAndWithinTheUpdate) {
  Fixture unloaded = quantized();
  unloaded.insert_after(event_at(kToB, EventKind::prepare_end), {EventKind::post_load_begin, kToB, -1, 0});
  EXPECT_EQ(order_broken(unloaded), "fc: its post-load step ran before its first load");
  Fixture outside = quantized();
  outside.insert_before(event_at(kToB, EventKind::prepare_begin), {EventKind::post_load_begin, kToB, -1, 0});
  EXPECT_EQ(order_broken(outside), "fc: its post-load step ran outside of the update");
}

TEST(EventOrder, ALayerThatGetsNothingHasNoFirstLoad) {
  Fixture fixture = quantized();
  std::erase_if(fixture.plan().loads, [](const PlannedLoad& load) { return load.step == kToB && load.layer == "fc"; });
  std::erase_if(fixture.events(), event_at(kToB, EventKind::load_begin, 0));
  EXPECT_EQ(order_broken(fixture), "pass");
}

TEST(EventOrder, CopyingBackComesAfterProcessing) {
  Fixture fixture = quantized();
  fixture.insert_before(event_at(kToB, EventKind::post_load_end, 0), {EventKind::write_kernel, kToB, 1, 0, 8, 0, "weight aten::copy_"});
  EXPECT_EQ(order_broken(fixture), "fc: a kernel tensor was written before its post-load step had ended: weight aten::copy_");
}

TEST(EventOrder, WhatIsDerivedComesAfterWhatItDependsOn) {
  Fixture fixture;
  for (const char* name : {"A", "B"})
    fixture.run(Variation::Kind::cold, name).ranks[0].events.push_back({EventKind::post_load_begin, 0, -1, 1});
  fixture.insert_after(event_at(kToB, EventKind::finish_begin), {EventKind::post_load_begin, kToB, -1, 1});
  EXPECT_EQ(order_broken(fixture), "pass");
  fixture.insert_before(event_at(kToB, EventKind::finish_end), {EventKind::write_kernel, kToB, -1, 0, 8, 0, "weight aten::copy_"});
  EXPECT_EQ(order_broken(fixture), "fc: a kernel tensor was written (weight aten::copy_) after norm had derived its own from it");
}

TEST(EventOrder, PrepareAndFinishComeOnceEach) {
  Fixture twice;
  twice.insert_after(event_at(kToB, EventKind::prepare_end), {EventKind::prepare_begin, kToB});
  EXPECT_EQ(order_broken(twice), ": prepare began twice");
  Fixture never;
  never.erase(event_at(kToB, EventKind::finish_begin));
  EXPECT_EQ(order_broken(never), ": finish ended without having begun");
  Fixture silent;
  for (EventKind kind : {EventKind::finish_begin, EventKind::finish_end}) silent.erase(event_at(kToB, kind));
  EXPECT_EQ(order_broken(silent), ": the update ended well without prepare and finish in this order");
}

// The reload to B in three steps, with a second begin in the middle: 1 prepare, 2 prepare, 3 finish.
Fixture begun_twice(Status second) {
  Fixture fixture;
  fixture.warm().steps = {{.kind = StepKind::load}, {.kind = StepKind::prepare}, {.kind = StepKind::prepare}, {.kind = StepKind::finish}};
  fixture.warm().steps[2].outcome = Step::Outcome::error;
  std::erase_if(fixture.events(), [](const Event& event) { return event.step == kToA; });
  for (Event& event : fixture.events())
    if (event.step == kToB && event.kind != EventKind::prepare_begin && event.kind != EventKind::prepare_end) event.step = 3;
  fixture.insert_after(event_at(1, EventKind::prepare_end), {EventKind::prepare_begin, 2});
  fixture.insert_after(event_at(2, EventKind::prepare_begin), {EventKind::prepare_end, 2});
  fixture.outcome(2).status = std::move(second);
  fixture.warm().ranks[0].outcomes.push_back({.step = 3});
  fixture.plan().states = {{0, "A", false}, {3, "B", false}};
  return fixture;
}

TEST(EventOrder, ASecondBeginIsNothingIfItIsRefused) {
  EXPECT_EQ(order_broken(begun_twice(Status(Code::misuse, "open"))), "pass");
  EXPECT_EQ(order_broken(begun_twice(Status())), ": prepare began twice");
}

TEST(EventOrder, TheCandidatesOwnStoryMustBeInOrderToo) {
  Fixture fixture;
  fixture.insert_after(event_at(kToB, EventKind::copied_back, 1), {EventKind::completed, kToB, 2, 1});
  EXPECT_EQ(order_broken(fixture), "norm: it says that it was completed after it was copied_back");
}

TEST(EventOrder, UpdatesThatFailedAreOutsideTheLaw) {
  Fixture fixture;
  for (int step : {kToB, kToA}) fixture.outcome(step).status = Status(Code::failed, "no");
  EXPECT_EQ(order_broken(fixture), "unsupported: no update of the scenario went through");
  for (int step : {kToB, kToA}) fixture.warm().steps[static_cast<size_t>(step)].outcome = Step::Outcome::error;
  EXPECT_EQ(order_broken(fixture), "unsupported: no update of the scenario is meant to go through");
  fixture.warm().steps.resize(1);
  EXPECT_EQ(order_broken(fixture), "unsupported: the scenario updates nothing");
}

}  // namespace
}  // namespace reloadlab::sim
