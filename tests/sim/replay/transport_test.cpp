#include "sim/replay/transport.h"

#include <gtest/gtest.h>

#include "sim/world/account.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

class TransportTest : public testing::Test {
 protected:
  void SetUp() override { install_counting_allocator(); }
  Transport transport(bool chunked, int64_t chunk) {
    LoadPlan plan;
    plan.chunk = chunk;
    return transport(plan, chunked);
  }
  Transport transport(const LoadPlan& plan, bool chunked, bool with_bytes = true) {
    return {catalogue_,
            sequence(catalogue_, plan),
            *source_,
            {.chunked = chunked, .reuses = plan.reuses, .device = with_bytes ? at::kCPU : at::kMeta}};
  }

  Case case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b")});
  Catalogue catalogue_{case_.model};
  std::unique_ptr<Checkpoint> source_ = synthetic_checkpoint(1);
};

TEST_F(TransportTest, WithoutChunksATensorKeepsItsBytes) {
  Transport transport = this->transport(false, 0);
  const at::Tensor first = *transport.fetch(0);
  const at::Tensor before = first.clone();
  for (size_t i = 1; i < 4; ++i) ASSERT_TRUE(transport.fetch(i).ok());
  EXPECT_TRUE(first.equal(before));
}

TEST_F(TransportTest, WithChunksTheBufferIsReusedForTheNextOne) {
  Transport transport = this->transport(true, 2);
  const at::Tensor first = *transport.fetch(0);
  const at::Tensor before = first.clone();
  ASSERT_TRUE(transport.fetch(1).ok());
  EXPECT_TRUE(first.equal(before));
  ASSERT_TRUE(transport.fetch(2).ok());
  EXPECT_FALSE(first.equal(before));
}

TEST_F(TransportTest, ChunkedAndUnchunkedDeliverTheSame) {
  Transport plain = transport(false, 0), chunked = transport(true, 3);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(plain.fetch(i)->equal(*chunked.fetch(i))) << i;
}

TEST_F(TransportTest, TheBufferIsNobodysMemory) {
  const AccountPtr account = std::make_shared<Account>(poison_byte(0));
  AccountScope scope(account);
  Transport transport = this->transport(true, 2);
  ASSERT_TRUE(transport.fetch(0).ok());
  EXPECT_EQ(account->live_bytes(), 0);
}

TEST_F(TransportTest, LayoutsAndWiderTypesHoldTheSameValues) {
  using enum LoadPlan::Layout;
  const at::Tensor plain = *transport(false, 0).fetch(0);
  for (const LoadPlan::Layout layout : {strided, transposed, offset})
    for (const int64_t chunk : {0, 1}) {
      const at::Tensor arrived = *transport({.chunk = chunk, .dtype = DType::f64, .layout = layout}, chunk > 0).fetch(0);
      EXPECT_EQ(arrived.scalar_type(), at::kDouble);
      EXPECT_TRUE(arrived.to(plain.scalar_type()).equal(plain)) << static_cast<int>(layout);
      EXPECT_EQ(arrived.is_contiguous(), layout == offset);
      EXPECT_EQ(arrived.stride(0) == 1, layout == transposed);
    }
}

TEST_F(TransportTest, WhatItTakesIsWhatTheArithmeticSays) {
  using enum LoadPlan::Layout;
  const AccountPtr account = std::make_shared<Account>(poison_byte(0));
  for (const LoadPlan::Layout layout : {dense, strided, transposed, offset}) {
    Transport transport = this->transport({.dtype = DType::f32, .layout = layout}, false);
    AccountScope scope(account);
    const at::Tensor arrived = *transport.fetch(0);
    EXPECT_EQ(account->live_bytes(), transport.sent()[0].bytes_of(catalogue_.deliveries()[0]));
    EXPECT_EQ(arrived.storage().nbytes(), static_cast<size_t>(account->live_bytes()));
  }
}

// The first chunk is two tensors of 512 and 256 bytes.
TEST_F(TransportTest, AChunkThatIsHandedOverLivesAsLongAsAViewOfIt) {
  const AccountPtr account = std::make_shared<Account>(poison_byte(0));
  AccountScope scope(account);
  Transport transport = this->transport({.chunk = 2, .reuses = false}, true);
  at::Tensor first = *transport.fetch(0);
  const at::Tensor before = first.clone();
  EXPECT_EQ(account->live_bytes(), 512 + 256 + 512);
  const int64_t second = transport.fetch(2)->storage().nbytes();
  EXPECT_TRUE(first.equal(before));
  EXPECT_EQ(account->live_bytes(), 512 + 256 + 512 + second);
  first.reset();
  EXPECT_EQ(account->live_bytes(), 512 + second);
}

TEST_F(TransportTest, InNumbersOnlyLargeTensorsOfAChunkAreOnMeta) {
  for (const bool reuses : {true, false}) {
    Transport transport = this->transport({.chunk = 2, .reuses = reuses, .layout = LoadPlan::Layout::strided}, true, false);
    EXPECT_TRUE(transport.fetch(0)->is_meta());
    EXPECT_EQ(transport.fetch(3)->is_meta(), transport.fetch(3)->numel() > 64);
  }
}

}  // namespace
}  // namespace reloadlab::sim
