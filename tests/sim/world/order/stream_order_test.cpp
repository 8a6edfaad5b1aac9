// Calls as they are made, and what they order.
#include "sim/world/order/stream_order.h"

#include <gtest/gtest.h>

#include <thread>

namespace reloadlab::sim {
namespace {

using Names = std::vector<std::string>;

// Handles are addresses that nothing is read from.
class StreamOrders : public testing::Test {
 protected:
  using Handle = StreamOrder::Handle;
  static Handle handle(uintptr_t number) { return reinterpret_cast<Handle>(number); }
  const Handle main = handle(0x10), side = handle(0x20), third = handle(0x30), event = handle(0x100), other = handle(0x200),
               graph = handle(0x1000), executable = handle(0x2000);

  void writes(Handle stream, const char* what, int64_t begin = 0) { order.touch(stream, what, {{Region::bytes(0, begin, 8), true}}); }
  void reads(Handle stream, const char* what, int64_t begin = 0) { order.touch(stream, what, {{Region::bytes(0, begin, 8), false}}); }
  void edge(Handle from, Handle to, Handle by) {
    order.record(by, from);
    order.wait(to, by);
  }
  Names races() const {
    Names all;
    for (const Race& race : order.races().races()) all.push_back(race.first.operation + " || " + race.second.operation);
    return all;
  }

  StreamOrder order{"cuda:0"};
};

TEST_F(StreamOrders, OneStreamIsInOrder) {
  writes(main, "write");
  reads(main, "read");
  EXPECT_EQ(races(), Names{});
}

TEST_F(StreamOrders, TwoStreamsAreInNone) {
  writes(main, "write");
  reads(side, "read");
  EXPECT_EQ(races(), Names{"write || read"});
  const AccessSite& late = order.races().races().front().second;
  EXPECT_EQ(order.name_of(late.actor), "stream 1 of cuda:0");
}

TEST_F(StreamOrders, AnEventThatIsWaitedForIsAnEdge) {
  writes(main, "write");
  edge(main, side, event);
  reads(side, "read");
  EXPECT_EQ(races(), Names{});
}

TEST_F(StreamOrders, WhatComesBehindTheRecordIsNotWaitedFor) {
  order.record(event, main);
  writes(main, "write");
  order.wait(side, event);
  reads(side, "read");
  EXPECT_EQ(races(), Names{"write || read"});
}

TEST_F(StreamOrders, TheEdgeGoesToTheRecordOfThatMoment) {
  writes(main, "early", 0);
  order.record(event, main);
  order.wait(side, event);
  writes(main, "late", 100);
  order.record(event, main);
  reads(side, "read of early", 0);
  reads(side, "read of late", 100);
  EXPECT_EQ(races(), Names{"late || read of late"});
}

TEST_F(StreamOrders, AnEventThatWasNeverRecordedOrdersNothing) {
  writes(main, "write");
  order.wait(side, event);
  reads(side, "read");
  EXPECT_EQ(races().size(), 1u);
}

TEST_F(StreamOrders, AHandleThatComesBackIsAnotherEvent) {
  writes(main, "write");
  order.record(event, main);
  order.forget(event);
  order.wait(side, event);
  reads(side, "read");
  EXPECT_EQ(races().size(), 1u);
}

TEST_F(StreamOrders, OrderIsTransitive) {
  writes(main, "write");
  edge(main, side, event);
  edge(side, third, other);
  reads(third, "read");
  EXPECT_EQ(races(), Names{});
}

TEST_F(StreamOrders, AHostThatHasWaitedOrdersWhatItIssues) {
  writes(main, "one", 0);
  order.synchronize(main);
  reads(side, "read", 0);
  writes(side, "two", 0);
  order.record(event, side);
  order.synchronize_with(event);
  writes(third, "three", 0);
  order.synchronize_all();
  writes(main, "four", 0);
  EXPECT_EQ(races(), Names{});
}

TEST_F(StreamOrders, AHostIsToldNothingOfWhatComesBehindTheRecord) {
  order.record(event, main);
  writes(main, "write");
  order.synchronize_with(event);
  reads(side, "read");
  EXPECT_EQ(races().size(), 1u);
}

// What one thread was told another one is not; a new one knows what its maker may have told it.
TEST_F(StreamOrders, ThreadsKnowWhatTheyWereTold) {
  writes(main, "write");
  std::thread([&] { order.synchronize(main); }).join();
  reads(side, "read");
  EXPECT_EQ(races().size(), 1u);
  writes(main, "more", 100);
  order.synchronize(main);
  std::thread([&] { reads(side, "read of more", 100); }).join();
  EXPECT_EQ(races().size(), 1u);
}

TEST_F(StreamOrders, AccessesHaveTheLabelOfTheirIssue) {
  order.label({.text = "step 1: write", .step = 1});
  writes(main, "write");
  order.label({.text = "step 2: read", .step = 2});
  reads(side, "read");
  ASSERT_EQ(races().size(), 1u);
  EXPECT_EQ(order.races().races()[0].first.label->step, 1);
  EXPECT_EQ(order.races().races()[0].second.label->text, "step 2: read");
}

TEST_F(StreamOrders, OnlyBytesThatBothTouchRace) {
  writes(main, "write", 0);
  writes(side, "beside", 8);
  EXPECT_EQ(races(), Names{});
}

// Graphs.

class Graphs : public StreamOrders {
 protected:
  template <class Body>
  void capture(Body body) {
    order.begin_capture(main);
    body();
    order.end_capture(main, graph);
    order.instantiate(executable, graph);
  }
};

TEST_F(Graphs, WhatIsCapturedIsNotDone) {
  writes(side, "write");
  capture([&] { reads(main, "read"); });
  EXPECT_EQ(races(), Names{});
  order.launch(executable, third);
  EXPECT_EQ(races(), Names{"write || read"});
}

TEST_F(Graphs, EachLaunchIssuesItAnew) {
  capture([&] { reads(main, "read"); });
  order.label({.text = "replay", .step = 3});
  order.launch(executable, third);
  writes(main, "write");
  EXPECT_EQ(races(), Names{"read || write"});
  EXPECT_EQ(order.name_of(order.races().races()[0].first.actor), "stream 1 of cuda:0");
}

TEST_F(Graphs, ALaunchComesAfterItsStreamAndItsStreamAfterIt) {
  capture([&] {
    edge(main, side, event);
    reads(side, "read");
    edge(side, main, other);
  });
  writes(third, "before");
  order.launch(executable, third);
  writes(third, "after");
  EXPECT_EQ(races(), Names{});
}

TEST_F(Graphs, BranchesAreInNoOrder) {
  capture([&] {
    edge(main, side, event);
    writes(side, "write");
    reads(main, "read");
    edge(side, main, other);
    reads(main, "late read");
  });
  order.launch(executable, main);
  EXPECT_EQ(races(), Names{"write || read"});
}

TEST_F(Graphs, ABranchThatNothingJoinsEndsWithItsGraph) {
  capture([&] {
    edge(main, side, event);
    writes(side, "write");
  });
  order.launch(executable, main);
  reads(main, "read");
  EXPECT_EQ(races(), Names{});
}

TEST_F(Graphs, StreamsOfACaptureThatFailedGoOn) {
  order.begin_capture(main);
  edge(main, side, event);
  writes(side, "captured");
  order.end_capture(main, nullptr);
  writes(side, "write");
  reads(main, "read");
  EXPECT_EQ(races(), Names{"write || read"});
}

// What nobody accounts for.

TEST_F(StreamOrders, WhatWasNotSeenIsSaid) {
  EXPECT_EQ(order.unseen(), "");
  order.label({.text = "step 2: pass", .step = 2});
  order.touch_unseen(side, "a kernel");
  EXPECT_EQ(order.unseen(), "what a kernel on stream 0 of cuda:0 (step 2: pass) touches was not seen");
  order.touch_unseen(side, "a copy");
  EXPECT_EQ(order.unseen(), "what a kernel on stream 0 of cuda:0 (step 2: pass) touches was not seen, and 1 more");
}

TEST_F(Graphs, AGraphOfWhichNothingWasSeenIsSaid) {
  order.launch(executable, main);
  EXPECT_EQ(order.unseen(), "what a graph on stream 0 of cuda:0 touches was not seen");
}

}  // namespace
}  // namespace reloadlab::sim
