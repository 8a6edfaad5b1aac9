#include "sim/world/modelled/capture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "sim/world/modelled/group.h"
#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

struct CaptureOnOneDevice : ::testing::Test {
  Machine machine{{.ranks = 1}, random_choices(5)};
  at::Tensor x = at::ones({4}, on(0)), y = at::zeros({4}, on(0));
  Graph graph;
};

TEST_F(CaptureOnOneDevice, ReplayReadsNewBytesAtOldAddresses) {
  graph.capture_begin();
  y.copy_(x * 2);
  graph.capture_end();
  EXPECT_EQ(values(y), repeated(0, 4));  // captured, not run
  graph.replay();
  EXPECT_EQ(values(y), repeated(2, 4));
  x.fill_(5);
  graph.replay();
  EXPECT_EQ(values(y), repeated(10, 4));
  at::Tensor old = x.alias();  // its memory stays
  x.set_(at::full({4}, 9.0, on(0)));
  graph.replay();
  EXPECT_EQ(values(y), repeated(10, 4));
  EXPECT_TRUE(raced(machine).empty());
}

TEST_F(CaptureOnOneDevice, FreedMemoryIsPoisonForAReplay) {
  graph.capture_begin();
  y.copy_(x);
  graph.capture_end();
  x.reset();
  graph.replay();
  EXPECT_TRUE(std::isnan(values(y)[0]));
}

TEST_F(CaptureOnOneDevice, TemporariesOfACaptureAreNobodyElsesWhileTheGraphLives) {
  auto owned = std::make_unique<Graph>();
  owned->capture_begin();
  at::Tensor inside = x + 1;
  void* address = inside.data_ptr();
  y.copy_(inside);
  inside.reset();
  owned->capture_end();
  EXPECT_NE(at::empty({4}, on(0)).data_ptr(), address);
  owned.reset();
  EXPECT_EQ(at::empty({4}, on(0)).data_ptr(), address);
}

TEST_F(CaptureOnOneDevice, SpreadsToStreamsThatWaitForIt) {
  c10::Stream side = side_stream(0);
  graph.capture_begin();
  order(here(0), side);
  {
    c10::StreamGuard guard(side);
    y.copy_(x);
  }
  order(side, here(0));
  y.mul_(3);
  graph.capture_end();
  EXPECT_EQ(values(y), repeated(0, 4));
  x.fill_(4);
  graph.replay();
  EXPECT_EQ(values(y), repeated(12, 4));
  EXPECT_TRUE(raced(machine).empty());
}

TEST_F(CaptureOnOneDevice, AMissingEdgeInsideTheGraphIsARaceOnReplay) {
  c10::Stream side = side_stream(0);
  graph.capture_begin();
  order(here(0), side);
  {
    c10::StreamGuard guard(side);
    y.copy_(x);
  }
  y.mul_(3);
  order(side, here(0));
  graph.capture_end();
  graph.replay();
  machine.synchronize_device(0);
  EXPECT_EQ(raced(machine).size(), 1u);
}

TEST_F(CaptureOnOneDevice, WhatIsForkedMustBeJoined) {
  c10::Stream side = side_stream(0);
  graph.capture_begin();
  order(here(0), side);
  EXPECT_EQ(message_of([&] { graph.capture_end(); }), "capture: stream 1 of sim:0 was forked and never joined");
  x.fill_(2);  // the streams work again
  EXPECT_EQ(values(x), repeated(2, 4));
}

TEST_F(CaptureOnOneDevice, WaitingForWhatCameBeforeIsRefused) {
  c10::Event before(modelled_kind);
  before.record(here(0));
  graph.capture_begin();
  EXPECT_NE(message_of([&] { before.block(here(0)); }).find("which was recorded before the capture began"), std::string::npos);
  graph.capture_end();
}

TEST_F(CaptureOnOneDevice, WhatAnEndedCaptureRecordedIsWaitedForByNobody) {
  c10::Stream side = side_stream(0);
  c10::Event inside(modelled_kind);
  graph.capture_begin();
  order(here(0), side);
  inside.record(here(0));
  EXPECT_NE(message_of([&] { graph.capture_end(); }), "nothing thrown");  // the side stream was not joined
  for (const c10::Stream& stream : {here(0), side}) {
    EXPECT_NE(message_of([&] { inside.block(stream); }).find("belongs to a capture that has ended"), std::string::npos);
    c10::StreamGuard guard(stream);
    EXPECT_EQ(values(at::full({4}, 3.0, on(0))), repeated(3, 4));  // runs, and is swallowed by no graph
  }
  Graph next;
  next.capture_begin();  // the stream is in no capture
  next.capture_end();
}

TEST_F(CaptureOnOneDevice, TheHostCannotWaitForACapture) {
  graph.capture_begin();
  c10::Event inside(modelled_kind);
  inside.record(here(0));
  EXPECT_NE(message_of([&] { inside.synchronize(); }), "nothing thrown");
  EXPECT_NE(message_of([&] { (void)inside.query(); }), "nothing thrown");
  EXPECT_NE(message_of([&] { (void)x.item<float>(); }), "nothing thrown");
  EXPECT_NE(message_of([&] { (void)at::equal(x, y); }), "nothing thrown");
  EXPECT_NE(message_of([&] { machine.synchronize_device(0); }), "nothing thrown");
  graph.capture_end();
}

TEST(CaptureOfCollectives, EachReplayIsACollectiveOfItsOwn) {
  Machine machine({.ranks = 2}, random_choices(9));
  std::vector<std::unique_ptr<Graph>> graphs;
  for (int rank = 0; rank < 2; ++rank) graphs.push_back(std::make_unique<Graph>());
  expect_clean(machine.run([&](int rank) {
    auto group = make_group({.name = "all", .ranks = {0, 1}}, rank);
    at::Tensor x = at::zeros({4}, on(rank)), y = at::zeros({4}, on(rank));
    Graph& graph = *graphs[static_cast<size_t>(rank)];
    graph.capture_begin();
    std::vector<at::Tensor> tensors = {x};
    group->broadcast(tensors)->wait();
    y.copy_(x);
    graph.capture_end();
    for (int round = 1; round < 4; ++round) {
      if (rank == 0) x.fill_(round);
      graph.replay();
      EXPECT_EQ(values(y), repeated(static_cast<float>(round), 4));
    }
  }));
  EXPECT_TRUE(raced(machine).empty());
  auto broadcasts =
      std::count_if(machine.steps().begin(), machine.steps().end(), [](const Step& step) { return step.name.starts_with("broadcast"); });
  EXPECT_EQ(broadcasts, 6);
}

}  // namespace
}  // namespace reloadlab::sim::modelled
