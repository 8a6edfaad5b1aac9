#include "sim/replay/copy_count.h"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "reference/model/tap/tap.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

struct Counting final : model::OpListener {
  CopyCount count;
  bool refuses = false;
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    count.before(op, stack);
    if (refuses) throw std::runtime_error("not let through");
  }
  void after(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override { count.after(op, stack); }
};

template <class Work>
Copied counted(Work work) {
  Counting counting;
  model::TapGuard tap(model::Tap::harness, counting);
  work();
  return counting.count.take();
}

void expect(const Copied& copied, int64_t copies, int64_t bytes) {
  EXPECT_EQ(copied.copies, copies);
  EXPECT_EQ(copied.bytes, bytes);
}

class Copying : public testing::Test {
 protected:
  const at::Tensor one = at::zeros({4}, at::kFloat), other = at::zeros({4}, at::kFloat);
};

TEST_F(Copying, WhatIsCopiedIntoATensorCounts) {
  expect(counted([&] { one.copy_(other); }), 1, 16);
  expect(counted([&] { one.narrow(0, 1, 2).copy_(other.narrow(0, 0, 2)); }), 1, 8);
  expect(counted([&] { at::_foreach_copy_({one, one}, {other, other}); }), 2, 32);
}

TEST_F(Copying, ANewTensorCountsWhereThereIsOne) {
  expect(counted([&] { (void)one.clone(); }), 1, 16);
  expect(counted([&] { (void)one.to(at::kDouble); }), 1, 32);
  expect(counted([&] { (void)one.to(at::kFloat); }), 0, 0);
  expect(counted([&] { (void)one.reshape({2, 2}); }), 0, 0);
  expect(counted([&] { (void)one.reshape({2, 2}).t().contiguous(); }), 1, 16);
}

TEST_F(Copying, WhatComputesCopiesNothing) {
  expect(counted([&] { one.add_(other).mul_(2); }), 0, 0);
}

TEST_F(Copying, WhatFailsCopiesNothing) {
  Counting counting;
  model::TapGuard tap(model::Tap::harness, counting);
  counting.refuses = true;
  EXPECT_THROW(one.copy_(other), std::runtime_error);
  counting.refuses = false;
  one.add_(other);
  expect(counting.count.take(), 0, 0);
}

TEST_F(Copying, OnMetaBytesAreThoseThatItWouldTake) {
  const at::Tensor there = at::empty({4}, at::TensorOptions(at::kMeta).dtype(at::kFloat));
  expect(counted([&] { there.copy_(there.clone()); }), 2, 32);
}

}  // namespace
}  // namespace reloadlab::tests
