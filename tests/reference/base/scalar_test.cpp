#include "reference/base/scalar.h"

#include <gtest/gtest.h>

#include <set>

namespace reloadlab {
namespace {

TEST(DTypes, names_lead_back_to_them) {
  std::set<std::string_view> names;
  for (DType dtype : all_dtypes()) {
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_TRUE(names.insert(dtype_name(dtype)).second);
  }
  EXPECT_EQ(names.size(), 12u);
  EXPECT_EQ(dtype_from_name("float"), std::nullopt);
}

TEST(DTypes, sizes_are_those_of_their_elements) {
  EXPECT_EQ(dtype_size(DType::f64), 8);
  EXPECT_EQ(dtype_size(DType::i64), 8);
  EXPECT_EQ(dtype_size(DType::f32), 4);
  EXPECT_EQ(dtype_size(DType::i32), 4);
  EXPECT_EQ(dtype_size(DType::bf16), 2);
  EXPECT_EQ(dtype_size(DType::f16), 2);
  EXPECT_EQ(dtype_size(DType::i16), 2);
  for (DType dtype : {DType::e4m3, DType::e5m2, DType::i8, DType::u8, DType::boolean}) EXPECT_EQ(dtype_size(dtype), 1);
}

TEST(Shapes, have_the_product_of_their_sizes_as_elements) {
  EXPECT_EQ(numel({}), 1);
  EXPECT_EQ(numel({3, 4}), 12);
  EXPECT_EQ(numel({3, 0}), 0);
}

}  // namespace
}  // namespace reloadlab
