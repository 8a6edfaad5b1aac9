// Rank threads: one at a time, each schedule repeatable, and stopped when nothing can go on.
#include "sim/world/modelled/hosts.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

// Every rank adds its number on two streams, and waits in between.
void little_program(int rank) {
  at::Tensor x = at::full({4}, rank, on(rank));
  c10::Stream side = side_stream(rank);
  order(here(rank), side);
  {
    c10::StreamGuard guard(side);
    x.add_(1);
  }
  side.synchronize();
  EXPECT_EQ(values(x * 2), repeated(static_cast<float>(2 * rank + 2), 4));
}

TEST(Hosts, EveryRankRunsOnItsDevice) {
  Machine machine({.ranks = 3}, round_robin());
  std::vector<int> devices(3, -1);
  expect_clean(machine.run([&](int rank) { devices[static_cast<size_t>(rank)] = here(rank).device_index(); }));
  EXPECT_EQ(devices, (std::vector<int>{0, 1, 2}));
}

// As an engine's rank is one process: what a candidate keeps by thread is there in the next step.
TEST(Hosts, ARankHasOneThreadInAllRuns) {
  Machine machine({.ranks = 2}, round_robin());
  std::vector<std::vector<pid_t>> threads(2);
  for (int run = 0; run < 3; ++run) expect_clean(machine.run([&](int rank) { threads[static_cast<size_t>(rank)].push_back(::gettid()); }));
  for (const auto& one : threads) EXPECT_EQ(std::ranges::count(one, one.front()), 3);
  EXPECT_NE(threads[0].front(), threads[1].front());
}

TEST(Hosts, AFailureIsThatOfItsRun) {
  Machine machine({.ranks = 1}, round_robin());
  EXPECT_TRUE(machine.run([](int) { throw std::runtime_error("no"); }).failures[0]);
  expect_clean(machine.run(little_program));
}

TEST(Hosts, TheSameSeedGivesTheSameRun) {
  auto run = [](std::unique_ptr<Chooser> chooser) {
    Machine machine({.ranks = 3}, std::move(chooser));
    expect_clean(machine.run(little_program));
    return std::pair(trace(machine), machine.schedule());
  };
  auto [first, schedule] = run(random_choices(1));
  EXPECT_EQ(run(random_choices(1)).first, first);
  EXPECT_NE(run(random_choices(2)).first, first);
  EXPECT_EQ(run(replay(schedule)).first, first);
}

TEST(Hosts, RunsFollowEachOtherInOrder) {
  Machine machine({.ranks = 2}, round_robin());
  std::vector<at::Tensor> kept(2);
  expect_clean(machine.run([&](int rank) { kept[static_cast<size_t>(rank)] = at::ones({4}, on(rank)); }));
  expect_clean(machine.run([&](int rank) { kept[static_cast<size_t>(rank)].add_(1); }));
  EXPECT_EQ(values(kept[1]), repeated(2, 4));
  EXPECT_TRUE(raced(machine).empty());
}

TEST(Hosts, WhatTheDriverWaitedForComesBeforeTheRun) {
  Machine machine({.ranks = 1}, round_robin());
  at::Tensor x = at::ones({4}, on(0));
  machine.synchronize_device(0);
  expect_clean(machine.run([&](int) {
    c10::StreamGuard guard(side_stream(0));
    x.fill_(2);
  }));
  EXPECT_TRUE(raced(machine).empty());
}

TEST(Hosts, AnExceptionIsItsRanks) {
  Machine machine({.ranks = 2}, round_robin());
  RunReport report = machine.run([&](int rank) {
    if (rank == 1) throw std::runtime_error("no");
  });
  EXPECT_EQ(report.stopped, "");
  EXPECT_EQ(report.failures[0], nullptr);
  EXPECT_THROW(std::rethrow_exception(report.failures[1]), std::runtime_error);
}

TEST(Hosts, ADeadlockIsStoppedAndSaysWhoWaitsForWhat) {
  Machine machine({.ranks = 2}, round_robin());
  auto never = std::make_shared<Point>();
  never->name = named("the other rank's event");
  bool unwound = false;
  RunReport report = machine.run([&](int rank) {
    if (rank == 0) return;
    try {
      machine.host_wait(never);
    } catch (const std::exception&) {
      ADD_FAILURE() << "caught as an ordinary exception";
    } catch (...) {
      unwound = true;
      throw;
    }
  });
  EXPECT_EQ(report.stopped, "deadlock: nothing can go on");
  EXPECT_EQ(report.waits, std::vector<std::string>{"host 1 waits for the other rank's event"});
  EXPECT_TRUE(unwound);
  EXPECT_EQ(report.failures[1], nullptr);
}

TEST(Hosts, WhatCatchesTheStopIsStoppedAgainAtItsNextOperation) {
  Machine machine({.ranks = 1}, round_robin());
  auto never = std::make_shared<Point>();
  int caught = 0;
  RunReport report = machine.run([&](int) {
    for (; caught < 3; ++caught) {
      try {
        machine.host_wait(never);
      } catch (...) {
        continue;
      }
      FAIL() << "it went on";
    }
  });
  EXPECT_EQ(caught, 3);
  EXPECT_NE(report.stopped, "");
}

TEST(Hosts, PollingForEverIsAHang) {
  Machine machine({.ranks = 1, .step_limit = 1000}, round_robin());
  auto never = std::make_shared<Point>();
  never->name = named("what never comes");
  RunReport report = machine.run([&](int) {
    while (!machine.host_query(never)) {
    }
  });
  EXPECT_EQ(report.stopped, "hang: 1000 steps without an end");
  EXPECT_EQ(report.waits, std::vector<std::string>{"host 0 waits for a query of what never comes"});
}

TEST(Hosts, PollingEndsWhenTheEventComes) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    int polls = 0;
    expect_clean(machine.run([&](int rank) {
      at::Tensor x = at::ones({4}, on(rank));
      c10::Event event(modelled_kind);
      event.record(here(rank));
      while (!event.query()) ++polls;
    }));
  }
}

TEST(Hosts, AQueryCanGoBothWays) {
  std::set<bool> answers;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 1}, random_choices(seed));
    expect_clean(machine.run([&](int) {
      c10::Event event(modelled_kind);
      event.record(here(0));
      answers.insert(event.query());
    }));
  }
  EXPECT_EQ(answers.size(), 2u);
}

TEST(HostsDeathTest, AnEndlessLoopEndsTheProcessWithThePicture) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto spin = [] {
    Machine machine({.ranks = 2, .stuck_seconds = 1}, round_robin());
    machine.run([&](int rank) {
      volatile bool always = rank == 1;
      while (always) {
      }
      machine.host_wait(std::make_shared<Point>());
    });
  };
  EXPECT_EXIT(spin(), ::testing::ExitedWithCode(6),
              "rank 1 has reached no operation of the modelled world for 1 s\nhost 0 waits for \nhost 1 runs");
}

TEST(HostsDeathTest, WhatCatchesEveryStopEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto stubborn = [] {
    Machine machine({.ranks = 1, .stuck_seconds = 1}, round_robin());
    machine.run([&](int) {
      for (;;) {
        try {
          machine.host_wait(std::make_shared<Point>());
        } catch (...) {
        }
      }
    });
  };
  EXPECT_EXIT(stubborn(), ::testing::ExitedWithCode(6), "rank 0 has reached no operation of the modelled world for 1 s");
}

}  // namespace
}  // namespace reloadlab::sim::modelled
