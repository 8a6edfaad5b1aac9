#include "sim/world/order/region.h"

#include <gtest/gtest.h>

#include <set>

#include "reference/base/prng.h"

namespace reloadlab::sim {
namespace {

using Dims = std::vector<int64_t>;

TEST(Region, ColumnShardsOfOneMatrixDoNotOverlap) {
  Region left(0, 4, 0, Dims{8, 3}, Dims{6, 1}), right(0, 4, 3, Dims{8, 3}, Dims{6, 1}), wide(0, 4, 2, Dims{8, 2}, Dims{6, 1});
  EXPECT_FALSE(left.overlaps(right));
  EXPECT_TRUE(left.overlaps(wide));
  EXPECT_TRUE(wide.overlaps(right));
}

TEST(Region, BlocksAreApart) { EXPECT_FALSE(Region::bytes(0, 0, 8).overlaps(Region::bytes(1, 0, 8))); }

TEST(Region, NothingOverlapsNothing) {
  Region empty(0, 4, 0, Dims{0, 3}, Dims{3, 1});
  EXPECT_TRUE(empty.empty());
  EXPECT_FALSE(empty.overlaps(Region::bytes(0, 0, 64)));
}

TEST(Region, ExpandedDimensionsTouchTheirBytesOnce) {
  Region expanded(0, 4, 2, Dims{5, 3}, Dims{0, 1});
  EXPECT_EQ(expanded.begin(), 8);
  EXPECT_EQ(expanded.end(), 20);
}

// The oracle: every byte, in a set.
std::set<int64_t> touched(int64_t element, int64_t offset, const Dims& sizes, const Dims& strides) {
  std::set<int64_t> starts = {offset * element}, bytes;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    std::set<int64_t> next;
    for (int64_t start : starts)
      for (int64_t i = 0; i < sizes[dim]; ++i) next.insert(start + i * strides[dim] * element);
    starts = std::move(next);
  }
  for (int64_t start : starts)
    for (int64_t byte = 0; byte < element; ++byte) bytes.insert(start + byte);
  return bytes;
}

TEST(Region, AgreesWithTheSetOfItsBytesOnRandomStridedSets) {
  Prng prng(7);
  int overlapping = 0, covering = 0;
  for (int round = 0; round < 4000; ++round) {
    Region regions[2] = {Region::bytes(0, 0, 0), Region::bytes(0, 0, 0)};
    std::set<int64_t> bytes[2];
    for (int side = 0; side < 2; ++side) {
      int64_t element = int64_t{1} << prng.below(3), offset = static_cast<int64_t>(prng.below(12));
      Dims sizes, strides;
      for (uint64_t dim = prng.below(4); dim > 0; --dim) {
        sizes.push_back(static_cast<int64_t>(prng.below(5)));
        strides.push_back(static_cast<int64_t>(prng.below(9)));
      }
      regions[side] = Region(0, element, offset, sizes, strides);
      bytes[side] = touched(element, offset, sizes, strides);
    }
    bool meet = std::any_of(bytes[0].begin(), bytes[0].end(), [&](int64_t byte) { return bytes[1].contains(byte); });
    ASSERT_EQ(regions[0].overlaps(regions[1]), meet) << "round " << round;
    ASSERT_EQ(regions[1].overlaps(regions[0]), meet) << "round " << round;
    overlapping += meet;
    if (regions[0].covers(regions[1])) {
      ASSERT_TRUE(std::includes(bytes[0].begin(), bytes[0].end(), bytes[1].begin(), bytes[1].end())) << "round " << round;
      covering += !bytes[1].empty();
    }
  }
  EXPECT_GT(overlapping, 500);
  EXPECT_GT(covering, 30);
}

}  // namespace
}  // namespace reloadlab::sim
