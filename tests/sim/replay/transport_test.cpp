#include "sim/replay/transport.h"

#include <ATen/ATen.h>
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
    return Transport(catalogue_, sequence(catalogue_, plan), *source_, chunked);
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

}  // namespace
}  // namespace reloadlab::sim
