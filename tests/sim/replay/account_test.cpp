#include "sim/world/account.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <gtest/gtest.h>

#include <thread>

namespace reloadlab::sim {
namespace {

class AccountTest : public testing::Test {
 protected:
  void SetUp() override { install_counting_allocator(); }
  AccountPtr account_ = std::make_shared<Account>(poison_byte(0));
};

TEST_F(AccountTest, CountsRequestedBytesFromAllocationToFree) {
  AccountScope scope(account_);
  {
    at::Tensor a = at::empty({3}, at::kFloat), b = at::empty({5}, at::kByte);
    EXPECT_EQ(account_->live_bytes(), 17);
    EXPECT_EQ(account_->live_allocations(), 2);
  }
  EXPECT_EQ(account_->live_bytes(), 0);
  EXPECT_EQ(account_->peak_bytes(), 17);
}

TEST_F(AccountTest, FreshMemoryIsPoisonForEveryWayToMakeIt) {
  AccountScope scope(account_);
  const at::Tensor made[] = {at::empty({4}, at::kLong), at::empty_strided({2, 2}, {8, 1}, at::kBFloat16),
                             at::empty({0}, at::kInt).resize_({6})};
  for (const at::Tensor& tensor : made) {
    const auto* bytes = static_cast<const unsigned char*>(tensor.storage().data());
    for (size_t i = 0; i < tensor.storage().nbytes(); ++i) ASSERT_EQ(bytes[i], 0xFF);
  }
}

TEST_F(AccountTest, AStorageThatIsFreedAndMadeAgainHasANewSerial) {
  AccountScope scope(account_);
  at::Tensor tensor = at::empty({64}, at::kFloat);
  const int64_t before = allocation_serial(tensor.storage());
  tensor = at::Tensor();
  tensor = at::empty({64}, at::kFloat);
  EXPECT_GT(allocation_serial(tensor.storage()), before);
  EXPECT_EQ(allocation_serial(tensor.narrow(0, 3, 4).storage()), allocation_serial(tensor.storage()));
}

TEST_F(AccountTest, NobodysMemoryIsNotCounted) {
  AccountScope scope(account_);
  AccountScope nobody(nullptr);
  const at::Tensor tensor = at::empty({64}, at::kFloat);
  EXPECT_EQ(account_->live_bytes(), 0);
  EXPECT_EQ(allocation_serial(tensor.storage()), -1);
}

TEST_F(AccountTest, MemoryThatAnotherThreadFreesComesOffItsOwnAccount) {
  at::Tensor tensor;
  {
    AccountScope scope(account_);
    tensor = at::empty({64}, at::kFloat);
  }
  std::thread([&] { tensor = at::Tensor(); }).join();
  EXPECT_EQ(account_->live_bytes(), 0);
}

TEST_F(AccountTest, AHeldPeakMovesOnlyToWhatIsLeft) {
  AccountScope scope(account_);
  account_->hold_peak(true);
  const at::Tensor kept = at::empty({8}, at::kByte);
  at::empty({100}, at::kByte);
  account_->hold_peak(false);
  EXPECT_EQ(account_->peak_bytes(), 8);
}

TEST_F(AccountTest, MetaTensorsCountOnlyWithinAMetaScope) {
  AccountScope scope(account_);
  const at::Tensor before = at::empty({64}, at::TensorOptions(at::kFloat).device(at::kMeta));
  at::Tensor inside;
  {
    MetaScope counted(*account_, true);
    inside = at::empty({3, 2}, at::TensorOptions(at::kFloat).device(at::kMeta));
    EXPECT_EQ(account_->live_bytes(), 24);
  }
  inside = at::Tensor();
  EXPECT_EQ(account_->live_bytes(), 0);
  EXPECT_EQ(account_->peak_bytes(), 24);
  EXPECT_EQ(account_->live_allocations(), 0);
}

}  // namespace
}  // namespace reloadlab::sim
