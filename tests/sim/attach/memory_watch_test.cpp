#include "sim/attach/memory_watch.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

namespace reloadlab::sim {
namespace {

TEST(MemoryWatch, CountsWhatIsThereAtATime) {
  at::Tensor before = at::empty({64}, at::kFloat);
  const MemoryWatch watch;
  EXPECT_EQ(watch.peak(), 0);
  at::Tensor kept = at::empty({100}, at::kFloat);
  for (int i = 0; i < 3; ++i) at::empty({1000}, at::kByte);
  EXPECT_EQ(watch.peak(), 1400);
  EXPECT_EQ(watch.now(), 400);
  kept.reset(), before.reset();  // of the first one it was told
  EXPECT_EQ(watch.now(), 0);
  EXPECT_EQ(watch.peak(), 1400);
}

TEST(MemoryWatch, OfTwoTheInnerOneHears) {
  const MemoryWatch outer;
  {
    const MemoryWatch inner;
    at::empty({10}, at::kByte);
    EXPECT_EQ(inner.peak(), 10);
  }
  at::empty({20}, at::kByte);
  EXPECT_EQ(outer.peak(), 20);
}

}  // namespace
}  // namespace reloadlab::sim
