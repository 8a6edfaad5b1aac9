// Mechanisms that plan and events show.
#include "sim/law/explain.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

std::string why(Fixture& fixture, std::string_view layer) { return explain(fixture.evidence, fixture.warm(), 0, kToB, layer); }

void processed_at(Fixture& fixture, int layer, int load) {
  for (Event& event : fixture.events())
    if (event.step == kToB && event.layer == layer && (event.kind == EventKind::completed || event.kind == EventKind::write_kernel))
      event.load = load;
}

TEST(Explain, AnUpdateAsItShouldBeHasNoMechanism) {
  Fixture fixture;
  EXPECT_EQ(why(fixture, "fc"), "");
  EXPECT_EQ(why(fixture, "norm"), "");
}

TEST(Explain, LoadsThatCountedAsNothingAreNamed) {
  Fixture fixture;
  std::ranges::find_if(fixture.events(), event_at(kToB, EventKind::load_counted, 1))->numel = 0;
  EXPECT_EQ(why(fixture, "norm"), "counted as no element: norm.weight");
}

TEST(Explain, ALoadWhoseBufferWasReusedBeforeTheLayerWasProcessed) {
  Fixture fixture;
  fixture.warm().steps[kToB].plan.chunk = 1;
  EXPECT_EQ(why(fixture, "fc"), "processed after the transport had reused the buffer in which fc.q came");
  EXPECT_EQ(why(fixture, "norm"), "");
  fixture.warm().steps[kToB].plan.chunk = 2;
  EXPECT_EQ(why(fixture, "fc"), "");
  processed_at(fixture, 1, -1);
  EXPECT_EQ(why(fixture, "norm"), "processed after the transport had reused the buffer in which norm.weight came");
}

TEST(Explain, ALayerThatSharesTheStorageAndWasProcessedWithoutALoad) {
  Fixture fixture;
  for (Census& census : fixture.warm().ranks[0].censuses) census.entries[1].storage = census.entries[0].storage;
  std::erase_if(fixture.plan().loads, [](const PlannedLoad& load) { return load.layer == "norm"; });
  EXPECT_EQ(why(fixture, "fc"), "norm, which shares its storage: processed without a load of its own");
}

TEST(Explain, WhatAFailedLoadAndThoseBehindItWouldHaveBroughtHasNotArrived) {
  Fixture fixture;
  std::erase_if(fixture.events(), [](const Event& event) {
    return event.step == kToB && event.layer == 1 && (event.kind == EventKind::completed || event.kind == EventKind::write_kernel);
  });
  EXPECT_EQ(why(fixture, "norm"), "never processed: 2 of 2 elements arrived");
  const PlannedLoad& last = fixture.plan().loads.back();
  fixture.events().push_back({.kind = EventKind::load_end, .step = kToB, .load = last.index, .layer = 1, .text = "out of room"});
  EXPECT_EQ(why(fixture, "norm"), "never processed: 0 of 2 elements arrived");
}

TEST(Explain, ElementsThatNoLoadWrites) {
  Fixture fixture;
  fixture.plan().totals[0].loadable = 6;
  EXPECT_EQ(why(fixture, "fc"), "processed, and of its 8 elements loads write 6");
}

}  // namespace
}  // namespace reloadlab::sim
