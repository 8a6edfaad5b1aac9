#include "sim/world/modelled/memory.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <set>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

struct MemoryOfOneDevice : ::testing::Test {
  Machine machine{{.ranks = 2}, round_robin()};
  at::Tensor fresh(int64_t count) { return at::empty({count}, on(0)); }
};

TEST_F(MemoryOfOneDevice, FreshMemoryIsPoisonInStreamOrder) {
  at::Tensor first = fresh(4);
  void* address = first.data_ptr();
  first.fill_(1);
  first.reset();
  at::Tensor second = fresh(4);
  EXPECT_EQ(second.data_ptr(), address);
  EXPECT_TRUE(std::isnan(values(second)[0]));
}

TEST_F(MemoryOfOneDevice, AFreedBlockServesItsOwnStreamAtOnceAndNoOther) {
  at::Tensor first = fresh(4);
  void* address = first.data_ptr();
  first.reset();
  {
    c10::StreamGuard guard(side_stream(0));
    EXPECT_NE(fresh(4).data_ptr(), address);
  }
  EXPECT_NE(fresh(400).data_ptr(), address);  // of another size
  EXPECT_NE(at::empty({4}, on(1)).data_ptr(), address);
  EXPECT_EQ(fresh(4).data_ptr(), address);
}

TEST_F(MemoryOfOneDevice, UseOnAnotherStreamThatNobodyNamedIsARaceWithTheNextTenant) {
  at::Tensor x = fresh(4).fill_(1), sum = fresh(4);
  c10::Stream side = side_stream(0);
  order(here(0), side);
  {
    c10::StreamGuard guard(side);
    sum.copy_(x);
  }
  x.reset();
  at::Tensor next = fresh(4).fill_(2);
  machine.synchronize_device(0);
  EXPECT_EQ(raced(machine), std::vector<std::string>{"allocation || aten::copy_"});
}

TEST_F(MemoryOfOneDevice, BlocksThatSleepAreTouchedInVainAndNotUnseen) {
  machine.memory().pool(0, true);
  at::Tensor x = fresh(4).fill_(1), lost = fresh(4).fill_(2);
  machine.memory().pool(0, false);
  at::Tensor y = fresh(4);
  const void* address = x.data_ptr();
  machine.memory().sleep(0, true, {{Memory::block_of(x.storage()), "x"}});
  y.fill_(5);
  machine.synchronize_device(0);
  EXPECT_EQ(machine.memory().take_touched(0), "");
  x.fill_(3);
  y.add_(lost);
  machine.synchronize_device(0);
  EXPECT_EQ(machine.memory().take_touched(0), "aten::fill_ on stream 0 of sim:0 writes x");
  EXPECT_EQ(machine.memory().take_touched(0), "");
  machine.memory().wake(0);
  EXPECT_EQ(values(x), repeated(1, 4));
  EXPECT_EQ(values(y), repeated(5, 4));
  EXPECT_EQ(x.data_ptr(), address);
  machine.memory().sleep(0, false, {});
  machine.memory().wake(0);
  EXPECT_TRUE(std::isnan(values(x)[0]));
}

TEST_F(MemoryOfOneDevice, WhatNobodyWaitedForRacesWithTheSleep) {
  machine.memory().pool(0, true);
  at::Tensor x = fresh(4).fill_(1);
  machine.memory().pool(0, false);
  c10::Stream side = side_stream(0);
  order(here(0), side);
  {
    c10::StreamGuard guard(side);
    x.fill_(2);
  }
  machine.memory().sleep(0, true, {});
  machine.synchronize_device(0);
  const std::vector<std::string> races = raced(machine);
  ASSERT_EQ(races.size(), 1U);
  EXPECT_NE(races.front().find("unmap"), std::string::npos) << races.front();
}

// The block that record_stream() named another stream for: reused or not, and never with a race.
TEST(MemoryChoices, ANamedBlockIsReusedOnlyWhenItsUsersAreDone) {
  std::set<bool> reused;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Machine machine({.ranks = 1}, random_choices(seed));
    expect_clean(machine.run([&](int) {
      at::Tensor x = at::ones({4}, on(0)), sum = at::zeros({4}, on(0));
      c10::Stream side = side_stream(0);
      order(here(0), side);
      {
        c10::StreamGuard guard(side);
        sum.copy_(x);
      }
      x.record_stream(side);
      void* address = x.data_ptr();
      x.reset();
      at::Tensor next = at::full({4}, 2.0, on(0));
      reused.insert(next.data_ptr() == address);
      order(side, here(0));
      EXPECT_EQ(values(sum), repeated(1, 4));
    }));
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
  EXPECT_EQ(reused.size(), 2u);
}

TEST_F(MemoryOfOneDevice, AccountsHoldRequestedBytes) {
  AccountPtr account = machine.memory().account(0);
  at::Tensor x = fresh(3);
  EXPECT_EQ(account->live_bytes(), 12);
  EXPECT_EQ(machine.memory().account(1)->live_bytes(), 0);
  { at::Tensor sum = x + x; }
  EXPECT_EQ(account->live_bytes(), 12);
  EXPECT_EQ(account->peak_bytes(), 24);
  EXPECT_EQ(account->live_allocations(), 1);
}

TEST_F(MemoryOfOneDevice, WhatAStreamReadsAfterTheFreeIsPoison) {
  at::Tensor x = fresh(4).fill_(1);
  c10::Event freed(modelled_kind);
  float* address = x.data_ptr<float>();
  x.reset();
  freed.record(here(0));
  freed.synchronize();
  EXPECT_TRUE(std::isnan(address[0]));
}

TEST(MemoryLifetime, TensorsOutliveTheirMachine) {
  at::Tensor kept;
  {
    Machine machine({.ranks = 1}, round_robin());
    kept = at::ones({4}, on(0));
    machine.synchronize_device(0);
  }
  EXPECT_EQ(alias_on_cpu(kept)[3].item<float>(), 1);
}

}  // namespace
}  // namespace reloadlab::sim::modelled
