// Memory of another process, and what becomes of who holds it for too long.
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "sim/replay/lacks.h"
#include "sim/replay/transport.h"
#include "sim/world/cpu/closed_memory.h"
#include "sim/world/cpu/shared_memory.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

at::Tensor bytes(uint8_t first) { return at::arange(first, first + 4, at::kByte); }

TEST(ForeignMemory, HoldsWhatItIsFilledWithWhoeverMapsIt) {
  const auto memory = *shared_memory(8);
  const at::Tensor here = *memory->open(), there = *memory->open();
  ASSERT_TRUE(memory->fill(bytes(1)).ok());
  EXPECT_TRUE(here.narrow(0, 0, 4).equal(bytes(1)));
  ASSERT_TRUE(memory->fill(bytes(5)).ok());
  EXPECT_TRUE(here.narrow(0, 0, 4).equal(bytes(5)));
  EXPECT_TRUE(there.equal(here));
  EXPECT_NE(there.const_data_ptr(), here.const_data_ptr());
}

TEST(ForeignMemory, OutlivesWhoOpenedItForThoseThatHoldTensorsOfIt) {
  at::Tensor held;
  {
    const auto memory = *shared_memory(4);
    ASSERT_TRUE(memory->fill(bytes(1)).ok());
    held = *memory->open();
  }
  EXPECT_TRUE(held.equal(bytes(1)));
}

TEST(ForeignMemory, WhatIsClosedIsPoisonAndTold) {
  const auto memory = *shared_memory(4);
  ASSERT_TRUE(memory->fill(bytes(1)).ok());
  at::Tensor held = *memory->open();
  ASSERT_TRUE(memory->close("up.weight").ok());
  const at::Tensor fresh = *memory->open();
  EXPECT_EQ(touched_closed_memory(), "");
  EXPECT_TRUE(held.equal(at::full({4}, 0xFF, at::kByte)));
  EXPECT_EQ(touched_closed_memory(), "up.weight");
  EXPECT_EQ(touched_closed_memory(), "");
  EXPECT_TRUE(fresh.equal(bytes(1)));
}

// The address may be something else by then.
TEST(ForeignMemory, WhatWasTouchedIsToldWhenNobodyHoldsItAnyMore) {
  const auto memory = *shared_memory(4);
  at::Tensor held = *memory->open();
  ASSERT_TRUE(memory->close("up.weight").ok());
  held.fill_(1);
  held.reset();
  EXPECT_EQ(touched_closed_memory(), "up.weight");
  EXPECT_EQ(touched_closed_memory(), "");
}

// Faults of other addresses are what they always were.
TEST(ForeignMemoryDeathTest, OtherFaultsStillKill) {
  const auto memory = *shared_memory(4);
  const at::Tensor held = *memory->open();
  ASSERT_TRUE(memory->close("up.weight").ok());
  void* const nobodys = ::mmap(nullptr, 4, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_DEATH(*static_cast<volatile int*>(nobodys) = 1, "");
}

class ByIpc : public testing::Test {
 protected:
  Transport transport(const LoadPlan& plan) {
    return {catalogue_,
            sequence(catalogue_, plan),
            *source_,
            {.chunked = true, .source = plan.source, .handle = plan.handle, .foreign_memory = shared_memory}};
  }
  Case case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b")});
  Catalogue catalogue_{case_.model};
  std::unique_ptr<Checkpoint> source_ = synthetic_checkpoint(1);
};

TEST_F(ByIpc, EachTensorHasAHandleWhereThereAreNoChunks) {
  Transport transport = this->transport({.source = LoadPlan::Source::ipc});
  const at::Tensor first = *transport.fetch(0);
  const at::Tensor right = first.clone();
  EXPECT_TRUE(right.equal(*source_->read(catalogue_.deliveries()[0])));
  ASSERT_TRUE(transport.returned(0).ok());
  EXPECT_FALSE(first.equal(right)) << "the other process has filled it again";
}

TEST_F(ByIpc, AChunkIsTakenBackWithItsLastLoad) {
  Transport transport = this->transport({.chunk = 2, .source = LoadPlan::Source::ipc, .handle = LoadPlan::Handle::closed});
  const at::Tensor first = *transport.fetch(0);
  const at::Tensor right = first.clone();
  ASSERT_TRUE(transport.returned(0).ok());
  const at::Tensor second = *transport.fetch(1);
  EXPECT_TRUE(first.equal(right));
  ASSERT_TRUE(transport.returned(1).ok());
  EXPECT_EQ(touched_closed_memory(), "");
  EXPECT_FALSE(first.equal(right));
  EXPECT_EQ(touched_closed_memory(), catalogue_.deliveries()[0].name);
}

TEST_F(ByIpc, WorldsThatHaveNoSuchSourceSaySo) {
  case_.steps = {load_step("A"), reload_step("B")};
  case_.steps[1].plan.source = LoadPlan::Source::ipc;
  EXPECT_EQ(lacks(case_, Gpus()), "");
  case_.world = WorldKind::sim;
  EXPECT_EQ(lacks(case_, Gpus()), "loads come in memory of another process, which the worlds cpu and cuda have");
  case_.steps[1].plan.source = LoadPlan::Source::stream;
  EXPECT_EQ(lacks(case_, Gpus()), "");
  case_.world = WorldKind::cpu;
  EXPECT_EQ(lacks(case_, Gpus()), "loads come by a stream, which the worlds sim and cuda have");
}

}  // namespace
}  // namespace reloadlab::sim
