#include "reference/model/part.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

namespace reloadlab::model {
namespace {

bool same_view(const at::Tensor& a, const at::Tensor& b) {
  return a.is_alias_of(b) && a.sizes() == b.sizes() && a.strides() == b.strides() && a.storage_offset() == b.storage_offset();
}

TEST(Part, is_the_view_that_ATen_makes) {
  const at::Tensor whole = at::arange(120).view({4, 5, 6}).transpose(0, 2).narrow(1, 1, 4);  // [6, 4, 4], from an offset on
  EXPECT_TRUE(same_view(Part(whole).narrow(0, 2, 3).tensor(), whole.narrow(0, 2, 3)));
  EXPECT_TRUE(same_view(Part(whole).select(1, 3).tensor(), whole.select(1, 3)));
  EXPECT_TRUE(same_view(Part(whole).select(0, 5).narrow(1, 1, 2).select(0, 2).tensor(), whole.select(0, 5).narrow(1, 1, 2).select(0, 2)));
  EXPECT_TRUE(same_view(Part(whole).narrow(2, 4, 0).tensor(), whole.narrow(2, 4, 0)));
}

TEST(Part, is_the_whole_where_nothing_is_left_out) {
  const at::Tensor whole = at::arange(6).view({2, 3});
  EXPECT_TRUE(Part(whole).narrow(0, 0, 2).tensor().is_same(whole));
}

TEST(Part, does_not_reach_beyond_the_whole) {
  const at::Tensor whole = at::arange(6).view({2, 3});
  EXPECT_THROW(Part(whole).narrow(1, 2, 2), c10::Error);
  EXPECT_THROW(Part(whole).narrow(1, -1, 2), c10::Error);
  EXPECT_THROW(Part(whole).narrow(1, 0, -1), c10::Error);
  EXPECT_THROW(Part(whole).narrow(2, 0, 1), c10::Error);
  EXPECT_THROW(Part(whole).select(0, 2), c10::Error);
}

}  // namespace
}  // namespace reloadlab::model
