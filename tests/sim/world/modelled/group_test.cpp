#include "sim/world/modelled/group.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <set>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

using Tensors = std::vector<at::Tensor>;

GroupOptions everyone(int ranks, GroupMode mode = GroupMode::nccl) {
  GroupOptions options{.name = "all", .mode = mode};
  for (int rank = 0; rank < ranks; ++rank) options.ranks.push_back(rank);
  return options;
}

c10::intrusive_ptr<c10d::Work> broadcast(const c10::intrusive_ptr<c10d::ProcessGroup>& group, const at::Tensor& tensor, int root,
                                         bool async = true) {
  Tensors tensors = {tensor};
  c10d::BroadcastOptions options;
  options.rootRank = root;
  options.asyncOp = async;
  return group->broadcast(tensors, options);
}

void on_ranks(Machine& machine, const std::function<void(int, const c10::intrusive_ptr<c10d::ProcessGroup>&)>& body,
              GroupMode mode = GroupMode::nccl) {
  int ranks = machine.config().ranks;
  expect_clean(machine.run([&](int rank) { body(rank, make_group(everyone(ranks, mode), rank)); }));
}

TEST(Group, CollectivesComputeWhatRankArithmeticSays) {
  for (GroupMode mode : {GroupMode::nccl, GroupMode::gloo}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Machine machine({.ranks = 3}, random_choices(seed));
      on_ranks(
          machine,
          [](int rank, const auto& group) {
            at::Tensor x = at::full({4}, rank + 1, on(rank));
            broadcast(group, x, 2)->wait();
            EXPECT_EQ(values(x), repeated(3, 4));
            Tensors sum = {at::full({2}, rank + 1, on(rank))};
            group->allreduce(sum)->wait();
            EXPECT_EQ(values(sum[0]), repeated(6, 2));
            at::Tensor mine = at::full({1}, rank, on(rank)), all = at::empty({3}, on(rank));
            group->_allgather_base(all, mine)->wait();
            EXPECT_EQ(values(all), (std::vector<float>{0, 1, 2}));
            std::vector<Tensors> lists = {{at::empty({1}, on(rank)), at::empty({1}, on(rank)), at::empty({1}, on(rank))}};
            Tensors input = {mine};
            group->allgather(lists, input)->wait();
            EXPECT_EQ(values(lists[0][2]), repeated(2, 1));
            Tensors message = {at::full({2}, 10 * rank, on(rank))};
            if (rank == 0) group->send(message, 1, 0)->wait();
            if (rank == 1) group->recv(message, 0, 0)->wait();
            EXPECT_EQ(values(message[0]), repeated(rank == 2 ? 20 : 0, 2));
          },
          mode);
      EXPECT_TRUE(raced(machine).empty());
    }
  }
}

TEST(Group, ABarrierHoldsHostsUntilEveryRankIsThere) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Machine machine({.ranks = 3}, random_choices(seed));
    int arrived = 0;
    on_ranks(machine, [&](int rank, const auto& group) {
      ++arrived;
      c10d::BarrierOptions options;
      options.asyncOp = false;
      options.device = modelled_device(rank);
      EXPECT_EQ(group->barrier(options), nullptr);
      EXPECT_EQ(arrived, 3);
    });
  }
}

// A synchronous broadcast stands on the current stream, an asynchronous one on the group's own.
TEST(Group, OnlyAnAsynchronousCollectiveHasToBeWaitedFor) {
  auto races = [](bool async, bool wait) {
    Machine machine({.ranks = 2}, round_robin());
    on_ranks(machine, [&](int rank, const auto& group) {
      at::Tensor x = at::full({4}, rank, on(rank));
      auto work = broadcast(group, x, 0, async);
      EXPECT_EQ(work != nullptr, async);
      if (wait) work->wait();
      at::Tensor seen = x + 0;
      Machine::required().synchronize_device(rank);
    });
    return raced(machine).size();
  };
  EXPECT_EQ(races(false, false), 0u);
  EXPECT_EQ(races(true, true), 0u);
  EXPECT_EQ(races(true, false), 1u);  // the receiver's read; the root only reads, and so does its broadcast
}

TEST(Group, AnAsynchronousCollectiveComesAfterWhatTheCurrentStreamHolds) {
  Machine machine({.ranks = 2}, random_choices(3));
  on_ranks(machine, [&](int rank, const auto& group) {
    at::Tensor x = at::zeros({4}, on(rank));
    if (rank == 0) x.fill_(5);
    broadcast(group, x, 0)->wait();
    EXPECT_EQ(values(x), repeated(5, 4));
  });
  EXPECT_TRUE(raced(machine).empty());
}

TEST(Group, WaitOrdersTheCurrentStreamAndDoesNotBlockTheHost) {
  auto steps_after_wait = [](GroupMode mode) {
    Machine machine({.ranks = 1}, round_robin());
    size_t steps = 0;
    on_ranks(
        machine,
        [&](int rank, const auto& group) {
          at::Tensor x = at::zeros({4}, on(rank));
          broadcast(group, x, 0)->wait();
          steps = machine.steps().size();
        },
        mode);
    return steps;
  };
  EXPECT_EQ(steps_after_wait(GroupMode::nccl), 0u);
  EXPECT_GT(steps_after_wait(GroupMode::gloo), 0u);
}

TEST(Group, TwoGlooWorkersDoNotOrderWhatNobodyWaitedFor) {
  auto races = [](int workers) {
    Machine machine({.ranks = 2}, round_robin());
    expect_clean(machine.run([&](int rank) {
      GroupOptions options = everyone(2, GroupMode::gloo);
      options.workers = workers;
      auto group = make_group(options, rank);
      at::Tensor x = at::zeros({4}, on(rank));
      auto first = broadcast(group, x, 0), second = broadcast(group, x, 1);
      first->wait();
      second->wait();
    }));
    return raced(machine).size();
  };
  EXPECT_EQ(races(1), 0u);
  EXPECT_GT(races(2), 0u);
}

// 0 writes, tells 1, and hears back on another stream: what it does there comes after its write.
TEST(Group, OrderTravelsThroughOtherRanks) {
  Machine machine({.ranks = 2}, round_robin());
  expect_clean(machine.run([&](int rank) {
    auto there = make_group({.name = "there", .ranks = {0, 1}}, rank), back = make_group({.name = "back", .ranks = {0, 1}}, rank);
    at::Tensor x = at::zeros({4}, on(rank)), told = at::zeros({4}, on(rank)), heard = at::zeros({4}, on(rank));
    Machine::required().synchronize_device(rank);
    c10::Stream side = side_stream(rank);
    if (rank == 0) x.fill_(1);
    broadcast(there, told, 0)->wait();
    c10::StreamGuard guard(rank == 0 ? side : here(rank));
    broadcast(back, heard, 1)->wait();
    if (rank == 0) x.fill_(2);
  }));
  EXPECT_TRUE(raced(machine).empty());
}

// 1 writes and receives; 0 hears nothing of it, so what 0 then tells 1's other stream does not order that after the write.
TEST(Group, ARootHearsNothingFromItsReceivers) {
  Machine machine({.ranks = 2}, round_robin());
  expect_clean(machine.run([&](int rank) {
    auto first = make_group({.name = "first", .ranks = {0, 1}}, rank), second = make_group({.name = "second", .ranks = {0, 1}}, rank);
    at::Tensor x = at::zeros({4}, on(rank)), told = at::zeros({4}, on(rank)), again = at::zeros({4}, on(rank));
    Machine::required().synchronize_device(rank);
    c10::Stream side = side_stream(rank);
    if (rank == 1) x.fill_(1);
    broadcast(first, told, 0)->wait();
    c10::StreamGuard guard(rank == 1 ? side : here(rank));
    broadcast(second, again, 0)->wait();
    if (rank == 1) x.fill_(2);
  }));
  EXPECT_EQ(raced(machine), std::vector<std::string>{"aten::fill_ || aten::fill_"});
}

TEST(Group, RootsAreRanksOfTheGroup) {
  Machine machine({.ranks = 3}, round_robin());
  expect_clean(machine.run([&](int rank) {
    if (rank == 0) return;
    auto group = make_group({.name = "pair", .ranks = {1, 2}}, rank);
    at::Tensor x = at::full({4}, rank, on(rank));
    broadcast(group, x, 1)->wait();
    EXPECT_EQ(values(x), repeated(2, 4));
    EXPECT_NE(message_of([&] { broadcast(group, x, 2); }).find("rootRank 2 is not a rank of the group of 2"), std::string::npos);
  }));
}

TEST(Group, ARankThatDoesNotComeIsNamed) {
  Machine machine({.ranks = 2}, round_robin());
  RunReport report = machine.run([&](int rank) {
    auto group = make_group(everyone(2), rank);
    if (rank == 1) return;
    at::Tensor x = at::zeros({4}, on(0));
    broadcast(group, x, 0)->wait();
    (void)x.to(at::kCPU);
  });
  EXPECT_EQ(report.stopped, "deadlock: nothing can go on");
  ASSERT_EQ(report.waits.size(), 3u);
  EXPECT_EQ(report.waits[0], "host 0 waits for a copy to its memory");
  EXPECT_EQ(report.waits[1], "stream 0 of sim:0 waits for broadcast #0 of all");
  EXPECT_EQ(report.waits[2], "stream 1 of sim:0 waits for broadcast #0 of all: rank 1 (not issued)");
}

TEST(Group, RanksThatDifferNeverCompleteAndSayInWhat) {
  Machine machine({.ranks = 2}, round_robin());
  RunReport report = machine.run([&](int rank) {
    auto group = make_group(everyone(2), rank);
    at::Tensor x = at::zeros({4}, on(rank));
    broadcast(group, x, rank);
  });
  EXPECT_EQ(report.stopped, "deadlock: nothing can go on");
  ASSERT_EQ(report.waits.size(), 2u);
  EXPECT_NE(
      report.waits[0].find("which cannot complete: rank 1 issued broadcast (root 1, 4 elements of Float), others broadcast (root 0, "),
      std::string::npos)
      << report.waits[0];
}

// Two communicators in two orders, and a host that waits: fine where devices run any number of collectives, a deadlock where one.
TEST(Group, OneCollectiveAtATimeTurnsDifferingOrdersIntoADeadlock) {
  auto stopped = [](int concurrent, bool same_order) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Machine machine({.ranks = 2, .concurrent_collectives = concurrent}, random_choices(seed));
      RunReport report = machine.run([&](int rank) {
        auto a = make_group({.name = "a", .ranks = {0, 1}}, rank), b = make_group({.name = "b", .ranks = {0, 1}}, rank);
        at::Tensor x = at::zeros({4}, on(rank)), y = at::zeros({4}, on(rank));
        bool a_first = same_order || rank == 0;
        broadcast(a_first ? a : b, a_first ? x : y, 0);
        machine.synchronize_device(rank);
        broadcast(a_first ? b : a, a_first ? y : x, 0);
        machine.synchronize_device(rank);
      });
      seen.insert(report.stopped);
    }
    return seen;
  };
  EXPECT_EQ(stopped(1, true), std::set<std::string>{""});
  EXPECT_EQ(stopped(1, false), std::set<std::string>{"deadlock: nothing can go on"});
}

TEST(Group, ABroadcastTakesItsTimeFromTheLastRankOn) {
  for (int late : {0, 1}) {
    Rates rates = *rates_of("free");
    rates.collective_start = 100;
    rates.kernel_start = 7;
    Machine machine({.ranks = 2, .rates = rates}, random_choices(1));
    on_ranks(machine, [&](int rank, const auto& group) {
      at::Tensor x = at::empty({4}, on(rank));
      for (int i = 0; i < (rank == late ? 3 : 1); ++i) x.fill_(i);
      broadcast(group, x, 0)->wait();
      machine.synchronize_device(rank);
    });
    EXPECT_EQ(machine.elapsed(), 3 * 7 + 100) << late;
  }
}

TEST(Group, KernelsBesideABroadcastAreSlower) {
  Rates rates = *rates_of("free");
  rates.collective_start = 150;
  rates.kernel_start = 50;
  rates.beside_percent = 200;
  Machine machine({.ranks = 1, .rates = rates}, timed());
  on_ranks(machine, [&](int rank, const auto& group) {
    at::Tensor sent = at::empty({4}, on(rank)), x = at::empty({4}, on(rank));
    broadcast(group, sent, 0, true);
    x.fill_(1).fill_(2).fill_(3);
    machine.synchronize_device(rank);
  });
  EXPECT_EQ(machine.stream(0, 0).free_at, 100 + (50 + 25) + 50);  // the second one is alone for a half of itself
}

TEST(Group, KernelsBehindAWaitAreQuickerForTheirDeviceHasRested) {
  Rates rates = *rates_of("free");
  rates.collective_start = 20;
  rates.kernel_start = 50;
  rates.rested_percent = 50;
  Machine machine({.ranks = 1, .rates = rates}, timed());
  on_ranks(machine, [&](int rank, const auto& group) {
    at::Tensor x = at::empty({4}, on(rank));
    x.fill_(1);
    broadcast(group, x, 0)->wait();
    x.fill_(2).fill_(3);
    machine.synchronize_device(rank);
  });
  EXPECT_EQ(machine.stream(0, 0).free_at, 50 + 20 + (50 - 10) + 50);
}

}  // namespace
}  // namespace reloadlab::sim::modelled
