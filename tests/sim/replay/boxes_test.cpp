#include "sim/replay/boxes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace reloadlab::sim {
namespace {

Box draw_box() {
  Box box;
  for (int d = 0; d < 2; ++d) {
    box.start.push_back(*rc::gen::inRange<int64_t>(0, 6));
    box.extent.push_back(*rc::gen::inRange<int64_t>(0, 5));
  }
  return box;
}

RC_GTEST_PROP(BoxSet, CountsWhatASetOfElementsCounts, ()) {
  BoxSet boxes;
  std::set<std::pair<int64_t, int64_t>> elements;
  for (int i = *rc::gen::inRange(1, 12); i > 0; --i) {
    const Box box = draw_box();
    const auto before = static_cast<int64_t>(elements.size());
    for (int64_t row = 0; row < box.extent[0]; ++row)
      for (int64_t column = 0; column < box.extent[1]; ++column) elements.emplace(box.start[0] + row, box.start[1] + column);
    RC_ASSERT(boxes.add(box) == static_cast<int64_t>(elements.size()) - before);
    RC_ASSERT(boxes.numel() == static_cast<int64_t>(elements.size()));
  }
}

TEST(BoxSet, MeetsWhatSharesAnElementWithIt) {
  BoxSet set;
  set.add({{1, 1}, {2, 2}});
  EXPECT_TRUE(set.meets({{2, 2}, {4, 4}}));
  EXPECT_FALSE(set.meets({{3, 1}, {1, 2}}));
  EXPECT_FALSE(set.meets({{1, 1}, {2, 0}}));
}

TEST(BoxSet, AScalarIsOneElementHoweverOftenItIsAdded) {
  BoxSet boxes;
  EXPECT_EQ(boxes.add({}), 1);
  EXPECT_EQ(boxes.add({}), 0);
}

}  // namespace
}  // namespace reloadlab::sim
