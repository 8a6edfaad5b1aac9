// The arithmetic that other tests take for granted, against a search through all values of the format.
#include "tests/reference/model/formats.h"

#include <gtest/gtest.h>

namespace reloadlab::model {
namespace {

// The value of e4m3 bits without a sign, 0..126: four exponent bits with a bias of 7, three of mantissa, no infinity.
double magnitude(int bits) {
  const int exponent = bits >> 3, mantissa = bits & 7;
  return exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
}

// The nearest of the 127 magnitudes; of two equally near ones the even.
uint8_t nearest(float value) {
  const double wanted = std::min(std::abs(static_cast<double>(value)), 448.0);
  int best = 0;
  for (int bits = 1; bits < 127; ++bits) {
    const double now = std::abs(magnitude(bits) - wanted), before = std::abs(magnitude(best) - wanted);
    if (now < before || (now == before && bits % 2 == 0)) best = bits;
  }
  return static_cast<uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

TEST(E4m3OfTests, is_the_nearest_value) {
  for (int bits = 0; bits < 65536; ++bits)
    for (float finer : {0.0F, 0x1p-9F, -0x1p-9F}) {  // beside bf16's values, to either side of ties
      const float value = from_bf16(static_cast<uint16_t>(bits)) * (1 + finer);
      if (std::isnan(value)) continue;
      ASSERT_EQ(to_e4m3(value), nearest(value)) << value;
    }
}

TEST(E4m3OfTests, comes_back_from_every_value) {
  for (int bits = 0; bits < 256; ++bits) {
    const auto byte = static_cast<uint8_t>(bits);
    if ((bits & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(from_e4m3(byte)));
    } else {
      EXPECT_EQ(to_e4m3(from_e4m3(byte)), bits);
    }
  }
}

}  // namespace
}  // namespace reloadlab::model
