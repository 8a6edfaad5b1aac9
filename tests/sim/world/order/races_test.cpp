#include "sim/world/order/races.h"

#include <gtest/gtest.h>

namespace reloadlab::sim {
namespace {

// Actors that touch bytes of block 0 and hear from each other.
struct Story {
  RaceFinder finder;
  std::vector<Clock> clocks{4};
  int64_t step = 0;
  void touch(ActorId actor, bool write, int64_t begin = 0, int64_t count = 8) {
    uint32_t tick = clocks[static_cast<size_t>(actor)].tick(actor);
    AccessSite site{.actor = actor, .tick = tick, .step = step++, .operation = "op", .write = write};
    finder.access(site, {Region::bytes(0, begin, count), write}, clocks[static_cast<size_t>(actor)]);
  }
  void hears(ActorId actor, ActorId from) { clocks[static_cast<size_t>(actor)].join(clocks[static_cast<size_t>(from)]); }
  size_t races() const { return finder.races().size(); }
};

TEST(Races, TwoReadsAreNone) {
  Story story;
  story.touch(0, false);
  story.touch(1, false);
  EXPECT_EQ(story.races(), 0u);
}

TEST(Races, AnUnorderedWriteRacesWithTheReadBeforeIt) {
  Story story;
  story.touch(0, false);
  story.touch(1, true);
  ASSERT_EQ(story.races(), 1u);
  EXPECT_EQ(story.finder.races()[0].first.step, 0);
  EXPECT_EQ(story.finder.races()[0].second.step, 1);
}

TEST(Races, AnUnorderedReadRacesWithTheWriteBeforeIt) {
  Story story;
  story.touch(0, true);
  story.touch(1, false);
  EXPECT_EQ(story.races(), 1u);
}

TEST(Races, OrderMakesItNoRace) {
  Story story;
  story.touch(0, true);
  story.hears(1, 0);
  story.touch(1, true);
  EXPECT_EQ(story.races(), 0u);
}

TEST(Races, OrderIsTransitive) {
  Story story;
  story.touch(0, true);
  story.hears(1, 0);
  story.hears(2, 1);
  story.touch(2, true);
  EXPECT_EQ(story.races(), 0u);
}

TEST(Races, WhatWasHeardTooEarlyDoesNotCount) {
  Story story;
  story.hears(1, 0);
  story.touch(0, true);
  story.touch(1, false);
  EXPECT_EQ(story.races(), 1u);
}

TEST(Races, BytesApartDoNotRace) {
  Story story;
  story.touch(0, true, 0, 8);
  story.touch(1, true, 8, 8);
  EXPECT_EQ(story.races(), 0u);
}

TEST(Races, AnOrderedWriteStandsForWhatItCovers) {
  Story story;
  story.touch(0, true);
  story.hears(1, 0);
  story.touch(1, true);
  story.touch(2, true);  // races with both; the second stands for the first
  EXPECT_EQ(story.races(), 1u);
}

TEST(Races, AnOrderedReadDoesNotStandForAWrite) {
  Story story;
  story.touch(0, true);
  story.hears(1, 0);
  story.touch(1, false);
  story.touch(2, false);
  EXPECT_EQ(story.races(), 1u);
}

TEST(Races, AnOrderedReadStandsForARead) {
  Story story;
  story.touch(0, false);
  story.hears(1, 0);
  story.touch(1, false);
  story.touch(2, true);
  EXPECT_EQ(story.races(), 1u);
}

TEST(Races, AWriteOfAPartLeavesTheRest) {
  Story story;
  story.touch(0, true, 0, 16);
  story.hears(1, 0);
  story.touch(1, true, 0, 8);
  story.touch(2, true, 8, 8);
  ASSERT_EQ(story.races(), 1u);
  EXPECT_EQ(story.finder.races()[0].first.actor, 0);
}

}  // namespace
}  // namespace reloadlab::sim
