// Collectives that take too long, never complete or are aborted.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "sim/world/modelled/group.h"
#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

using std::chrono::milliseconds;

Rates slow_links() {
  Rates rates = *rates_of("free");
  rates.collective_start = 5'000'000'000;  // 5 ms
  return rates;
}

c10::intrusive_ptr<c10d::ProcessGroup> pair_group(int rank, GroupMode mode) {
  return make_group({.name = "pair", .ranks = {0, 1}, .mode = mode, .workers = 1}, rank);
}

c10::intrusive_ptr<c10d::Work> sum(const c10::intrusive_ptr<c10d::ProcessGroup>& group, const at::Tensor& tensor) {
  std::vector<at::Tensor> tensors = {tensor};
  c10d::AllreduceOptions options;
  options.asyncOp = true;
  return group->allreduce(tensors, options);
}

std::string failure_of(const std::exception_ptr& failure) {
  if (!failure) return "none";
  return message_of([&] { std::rethrow_exception(failure); });
}

TEST(FailingGroup, AWaitThrowsWhereTheOperationTakesLongerThanItsTimeOut) {
  for (GroupMode mode : {GroupMode::nccl, GroupMode::gloo}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Machine machine({.ranks = 2, .rates = slow_links()}, random_choices(seed));
      expect_clean(machine.run([&](int rank) {
        auto group = pair_group(rank, mode);
        at::Tensor x = at::ones({4}, on(rank));
        auto first = sum(group, x), second = sum(group, x);
        EXPECT_TRUE(first->wait(milliseconds(5)));
        EXPECT_TRUE(first->isSuccess());
        // The second one ends 10 ms after the start, and 5 ms have passed.
        EXPECT_EQ(message_of([&] { second->wait(milliseconds(4)); }), "all-reduce #1 of pair did not complete within 4 ms");
        EXPECT_FALSE(second->isSuccess());
        EXPECT_EQ(failure_of(second->exception()), "all-reduce #1 of pair did not complete within 4 ms");
      }));
    }
  }
}

TEST(FailingGroup, AWaitThrowsWhereTheOthersNeverCome) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    RunReport report = machine.run([&](int rank) {
      if (rank == 1) return;
      auto group = pair_group(rank, GroupMode::nccl);
      at::Tensor x = at::ones({4}, on(rank));
      EXPECT_EQ(message_of([&] { sum(group, x)->wait(milliseconds(7)); }), "all-reduce #0 of pair did not complete within 7 ms");
      group->abort();  // or the stream would wait for ever
    });
    expect_clean(report);
  }
}

TEST(FailingGroup, TimeOutsComeInTheOrderOfTheirDeadlines) {
  Machine machine({.ranks = 3}, round_robin());
  std::vector<int> order;
  expect_clean(machine.run([&](int rank) {
    auto never = std::make_shared<Point>();
    never->name = named("nothing");
    EXPECT_FALSE(machine.host_wait_for(never, milliseconds(30 - 10 * rank)));
    order.push_back(rank);
  }));
  EXPECT_EQ(order, (std::vector<int>{2, 1, 0}));
}

TEST(FailingGroup, TheDriverWaitsForItsTimeOutToo) {
  Machine machine({.ranks = 1}, round_robin());
  auto never = std::make_shared<Point>();
  EXPECT_FALSE(machine.host_wait_for(never, milliseconds(3)));
  EXPECT_TRUE(machine.host_wait_for(machine.record(machine.stream(0, 0), "an event"), milliseconds(3)));
}

// One rank comes, waits and hangs; the other aborts.
TEST(FailingGroup, AnAbortFailsWhatOthersWaitFor) {
  for (bool shuts_down : {false, true}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Machine machine({.ranks = 2}, random_choices(seed));
      std::string said = shuts_down ? "shut down by rank 1" : "aborted by rank 1";
      expect_clean(machine.run([&](int rank) {
        auto group = pair_group(rank, GroupMode::gloo);
        if (rank == 1) return shuts_down ? group->shutdown() : group->abort();
        at::Tensor x = at::ones({4}, on(rank));
        c10::intrusive_ptr<c10d::Work> work;
        std::string message = message_of([&] { (work = sum(group, x))->wait(); });
        if (work) {
          EXPECT_EQ(message, "all-reduce #0 of pair: " + said);
          EXPECT_TRUE(work->isCompleted());
          EXPECT_FALSE(work->isSuccess());
          EXPECT_EQ(failure_of(work->exception()), message);
          EXPECT_EQ(values(x), repeated(1, 4));
        }
        EXPECT_EQ(message_of([&] { sum(group, x); }), "all-reduce on pair: " + said);
      }));
    }
  }
}

TEST(FailingGroup, StreamsGoOnAfterAnAbort) {
  for (int places : {0, 1}) {
    Machine machine({.ranks = 2, .concurrent_collectives = places}, round_robin());
    expect_clean(machine.run([&](int rank) {
      auto group = pair_group(rank, GroupMode::nccl);
      at::Tensor x = at::ones({4}, on(rank));
      if (rank == 0) sum(group, x)->wait();
      if (rank == 0) group->abort();
      x.add_(1);
      EXPECT_EQ(values(x), repeated(2, 4));
      // The place of what was given up is free again.
      auto other = make_group({.name = "other", .ranks = {0, 1}}, rank);
      sum(other, x)->wait();
      EXPECT_EQ(values(x), repeated(4, 4));
    }));
  }
}

TEST(FailingGroup, AFutureComesAfterItsOperationAndNoLater) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Machine machine({.ranks = 2, .rates = slow_links()}, random_choices(seed));
    expect_clean(machine.run([&](int rank) {
      auto group = pair_group(rank, GroupMode::nccl);
      at::Tensor x = at::full({4}, rank + 1, on(rank)), y = at::ones({4}, on(rank));
      auto work = sum(group, x);
      auto future = work->getFuture();
      sum(group, y)->wait();
      EXPECT_TRUE(future->completed());
      c10::Stream side = side_stream(rank);
      const c10::StreamGuard guard(side);
      future->wait();
      EXPECT_EQ(values(future->value().toTensorVector().at(0)), repeated(3, 4));
      EXPECT_EQ(machine.stream(rank, side.id()).free_at, 5'000'000'000);  // not after the second operation
    }));
    EXPECT_TRUE(raced(machine).empty());
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
