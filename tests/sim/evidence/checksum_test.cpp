#include "sim/evidence/checksum.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace reloadlab::sim {
namespace {

template <class Integer>
int64_t of(const std::vector<Integer>& elements) {
  return checksum(std::as_bytes(std::span(elements)), sizeof(Integer));
}

constexpr uint64_t factor(uint64_t place) { return (place * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) | 1; }

TEST(Checksum, IsTheSumOfElementsTimesFactorsOfTheirPlaces) {
  EXPECT_EQ(of<int32_t>({}), 0);
  EXPECT_EQ(static_cast<uint64_t>(of<int32_t>({1, 0, 5})), factor(0) + 5 * factor(2));
  EXPECT_EQ(static_cast<uint64_t>(of<int8_t>({0, -3})), 0 - 3 * factor(1));
}

TEST(Checksum, TakesElementsOfEveryWidthWithTheirSign) {
  EXPECT_EQ(of<int8_t>({-1, 7}), of<int16_t>({-1, 7}));
  EXPECT_EQ(of<int16_t>({-1, 7}), of<int32_t>({-1, 7}));
  EXPECT_EQ(of<int32_t>({-1, 7}), of<int64_t>({-1, 7}));
}

TEST(Checksum, SeesElementsThatChangePlacesAndEachBit) {
  const std::vector<int16_t> some{3, 1, 4, 1, 5};
  EXPECT_NE(of<int16_t>({1, 3, 4, 1, 5}), of(some));
  EXPECT_NE(of<int16_t>({3, 1, 4, 5, 1}), of(some));
  for (size_t place = 0; place < some.size(); ++place)
    for (int bit = 0; bit < 16; ++bit) {
      std::vector<int16_t> other = some;
      other[place] = static_cast<int16_t>(other[place] ^ (1 << bit));
      EXPECT_NE(of(other), of(some)) << place << " " << bit;
    }
}

}  // namespace
}  // namespace reloadlab::sim
