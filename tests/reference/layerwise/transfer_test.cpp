// Copies that are gathered, as they are on an accelerator.
#include "reference/layerwise/transfer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "reference/model/tap/tap.h"

namespace reloadlab::layerwise {
namespace {

// How many tensors each operator that is issued copies.
class Issued final : public model::OpListener {
 public:
  void before(const c10::OperatorHandle& op, const torch::jit::Stack& stack) override {
    if (op.schema().name() == "aten::copy_") all.push_back(-1);
    if (op.schema().name() == "aten::_foreach_copy_") all.push_back(static_cast<int64_t>(stack[stack.size() - 3].toTensorVector().size()));
  }
  void after(const c10::OperatorHandle&, const torch::jit::Stack&) override {}
  std::vector<int64_t> all;  // -1: a plain copy
};

struct Gathered : testing::Test {
  at::Tensor kernel = at::zeros({8, 6}, at::kShort), source = at::arange(1, 49, at::kShort).view({8, 6});
  at::Tensor meta = at::zeros({8, 6}, at::TensorOptions(at::kShort).device(at::kMeta));
  Transfer transfer{Gather::everywhere};
  Issued issued;

  void add_rows(int64_t to, int64_t from, int64_t count) {
    transfer.add(kernel, {meta.narrow(0, to, count), source.narrow(0, from, count)});
  }
  void flush() {
    model::TapGuard tap(model::Tap::harness, issued);
    transfer.flush();
  }
};

TEST_F(Gathered, GoOutAsOneOperatorWhenTheyAreFlushed) {
  add_rows(0, 4, 1), add_rows(2, 2, 1), add_rows(5, 0, 2);
  EXPECT_EQ(kernel.abs().sum().item<int64_t>(), 0);
  flush();
  EXPECT_EQ(issued.all, (std::vector<int64_t>{3}));
  EXPECT_TRUE(kernel.narrow(0, 0, 1).equal(source.narrow(0, 4, 1)));
  EXPECT_TRUE(kernel.narrow(0, 2, 1).equal(source.narrow(0, 2, 1)));
  EXPECT_TRUE(kernel.narrow(0, 5, 2).equal(source.narrow(0, 0, 2)));
  EXPECT_EQ(kernel.narrow(0, 1, 1).abs().sum().item<int64_t>(), 0);
  flush();
  EXPECT_EQ(issued.all.size(), 1U);
}

TEST_F(Gathered, NeighboursOnBothSidesAreOne) {
  add_rows(1, 1, 2), add_rows(3, 3, 1), add_rows(4, 6, 1), add_rows(5, 7, 1);
  flush();
  EXPECT_EQ(issued.all, (std::vector<int64_t>{2}));
  EXPECT_TRUE(kernel.narrow(0, 1, 3).equal(source.narrow(0, 1, 3)));
  EXPECT_TRUE(kernel.narrow(0, 4, 2).equal(source.narrow(0, 6, 2)));
}

// Rows of twelve bytes go in words of four, single elements of two, and bytes one by one.
TEST_F(Gathered, WordsAreAsLargeAsPlacesAllow) {
  add_rows(0, 0, 1);
  transfer.add(kernel, {meta.narrow(0, 2, 1).narrow(1, 1, 1), source.narrow(0, 2, 1).narrow(1, 1, 1)});
  transfer.add(kernel, {meta.narrow(0, 4, 1).view(at::kByte).narrow(1, 3, 1), source.narrow(0, 4, 1).view(at::kByte).narrow(1, 3, 1)});
  flush();
  EXPECT_EQ(issued.all, (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(kernel[2][1].item<int16_t>(), source[2][1].item<int16_t>());
  EXPECT_EQ(kernel[4].view(at::kByte)[3].item<uint8_t>(), source[4].view(at::kByte)[3].item<uint8_t>());
}

TEST_F(Gathered, WhatNeedsMoreThanMovingBytesGoesOutAtOnce) {
  {
    model::TapGuard tap(model::Tap::harness, issued);
    transfer.add(kernel, {meta.narrow(1, 0, 2), source.narrow(1, 0, 2)});
    transfer.add(kernel, {meta.narrow(0, 7, 1), source.narrow(0, 7, 1).to(at::kFloat)});
  }
  EXPECT_EQ(std::ranges::count(issued.all, -1), 2);
  EXPECT_TRUE(kernel.narrow(1, 0, 2).narrow(0, 0, 7).equal(source.narrow(1, 0, 2).narrow(0, 0, 7)));
  EXPECT_TRUE(kernel.narrow(0, 7, 1).equal(source.narrow(0, 7, 1)));
}

TEST_F(Gathered, WhatIsDroppedIsNeverCopied) {
  add_rows(0, 0, 8);
  transfer.drop();
  flush();
  EXPECT_TRUE(issued.all.empty());
  EXPECT_EQ(kernel.abs().sum().item<int64_t>(), 0);
}

TEST_F(Gathered, KeepTheirSourceUntilTheyGoOut) {
  add_rows(0, 0, 8);
  const at::Tensor same = source.clone();
  source = at::Tensor();
  flush();
  EXPECT_TRUE(kernel.equal(same));
}

}  // namespace
}  // namespace reloadlab::layerwise
