#include "sim/evidence/values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace reloadlab::sim {
namespace {

template <class Bits>
std::string text_of(DType dtype, Bits bits) {
  std::byte bytes[sizeof bits];
  std::memcpy(bytes, &bits, sizeof bits);
  return value_text(dtype, bytes);
}

TEST(Values, SmallFloatsAreReadBitByBit) {
  EXPECT_EQ(text_of<uint16_t>(DType::bf16, 0x3F8B), "1.0859375");
  EXPECT_EQ(text_of<uint16_t>(DType::bf16, 0xBF80), "-1");
  EXPECT_EQ(text_of<uint16_t>(DType::bf16, 0x0001), "9.183549615799121e-41");
  EXPECT_EQ(text_of<uint16_t>(DType::bf16, 0xFF80), "-inf");
  EXPECT_EQ(text_of<uint16_t>(DType::f16, 0x3C01), "1.0009765625");
  EXPECT_EQ(text_of<uint16_t>(DType::f16, 0x7BFF), "65504");
  EXPECT_EQ(text_of<uint16_t>(DType::f16, 0x7E00), "nan");
  EXPECT_EQ(text_of<uint8_t>(DType::e4m3, 0x7E), "448");
  EXPECT_EQ(text_of<uint8_t>(DType::e4m3, 0x01), "0.001953125");
  EXPECT_EQ(text_of<uint8_t>(DType::e4m3, 0x7F), "nan");
  EXPECT_EQ(text_of<uint8_t>(DType::e5m2, 0x7B), "57344");
  EXPECT_EQ(text_of<uint8_t>(DType::e5m2, 0xFC), "-inf");
  EXPECT_EQ(text_of<uint8_t>(DType::e5m2, 0x7D), "nan");
}

TEST(Values, WideNumbersAreReadAsTheyAre) {
  EXPECT_EQ(text_of<float>(DType::f32, 0.1f), "0.1");
  EXPECT_EQ(text_of<double>(DType::f64, 0.1), "0.1");
  EXPECT_EQ(text_of<int64_t>(DType::i64, INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(text_of<int32_t>(DType::i32, -7), "-7");
  EXPECT_EQ(text_of<int16_t>(DType::i16, -300), "-300");
  EXPECT_EQ(text_of<int8_t>(DType::i8, -128), "-128");
  EXPECT_EQ(text_of<uint8_t>(DType::u8, 255), "255");
  EXPECT_EQ(text_of<uint8_t>(DType::boolean, 1), "true");
  EXPECT_EQ(text_of<uint8_t>(DType::boolean, 0), "false");
  EXPECT_EQ(text_of<uint8_t>(DType::boolean, 0xFF), "true (0xff)");
}

TEST(Values, PoisonIsKnownWhereDataHardlyLooksLikeIt) {
  const std::byte ones[8] = {std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF},
                             std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}};
  const std::byte other[2] = {std::byte{0xA5}, std::byte{0xA5}};
  const std::byte mixed[2] = {std::byte{0xFF}, std::byte{0xA5}};
  EXPECT_TRUE(looks_poisoned(DType::bf16, ones));
  EXPECT_TRUE(looks_poisoned(DType::i64, ones));
  EXPECT_TRUE(looks_poisoned(DType::e4m3, ones));
  EXPECT_TRUE(looks_poisoned(DType::boolean, ones));
  EXPECT_TRUE(looks_poisoned(DType::bf16, other));
  EXPECT_FALSE(looks_poisoned(DType::i8, ones));
  EXPECT_FALSE(looks_poisoned(DType::bf16, mixed));
}

TEST(Values, ExtentsAreRowsOrElements) {
  EXPECT_EQ(extent_text({4, 2}, {4, 5, 6, 7}), "rows 2-3");
  EXPECT_EQ(extent_text({4, 2}, {3}), "row 1");
  EXPECT_EQ(extent_text({4, 2}, {0, 2, 4, 6}), "all rows");
  EXPECT_EQ(extent_text({9, 1}, {0, 2, 3, 5, 7, 8}), "rows 0, 2-3, 5 and 1 more");
  EXPECT_EQ(extent_text({8}, {1, 2, 5}), "elements 1-2, 5");
  EXPECT_EQ(extent_text({8}, {1, 3, 5}), "elements 1, 3, 5");
  EXPECT_EQ(extent_text({1}, {0}), "element 0");
  EXPECT_EQ(extent_text({}, {0}), "the scalar");
  EXPECT_EQ(extent_text({2, 2, 3}, {7, 11}), "row 1");
}

TEST(Values, CountsAndIndicesAreReadable) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(-123456789), "-123,456,789");
  EXPECT_EQ(count_text(-123), "-123");
  EXPECT_EQ(unflatten({4, 32}, 65), (Shape{2, 1}));
  EXPECT_EQ(list_text({2, 1}), "[2, 1]");
}

}  // namespace
}  // namespace reloadlab::sim
