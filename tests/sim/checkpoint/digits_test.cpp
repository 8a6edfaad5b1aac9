#include "sim/checkpoint/digits.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "sim/checkpoint/element.h"

namespace reloadlab::sim {
namespace {

std::vector<std::byte> filled(DType dtype, int64_t first_number, int64_t count, int plane) {
  std::vector<std::byte> bytes(static_cast<size_t>(count * dtype_size(dtype)));
  fill_digits(bytes, dtype, first_number, plane);
  return bytes;
}

TEST(Digits, PlanesReadBackGiveEveryNumberForEveryDtype) {
  for (DType dtype : all_dtypes()) {
    const int64_t count = 5000;
    std::vector<model::Delivery> deliveries = {{.name = "before", .shape = {17}, .dtype = dtype},
                                               {.name = "w", .shape = {50, 100}, .dtype = dtype}};
    int64_t first = first_numbers(deliveries)[1];
    std::vector<int64_t> numbers(count, 0);
    int64_t weight = 1;
    for (int plane = 0; plane < digit_planes(deliveries); ++plane, weight *= digit_base(dtype)) {
      std::vector<std::byte> bytes = filled(dtype, first, count, plane);
      for (int64_t i = 0; i < count; ++i) {
        std::optional<int> digit = digit_of(dtype, bytes.data() + i * dtype_size(dtype));
        ASSERT_TRUE(digit.has_value()) << dtype_name(dtype);
        ASSERT_EQ(*digit, digit_at(dtype, first + i, plane));
        numbers[static_cast<size_t>(i)] += *digit * weight;
      }
    }
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(numbers[static_cast<size_t>(i)], 18 + i) << dtype_name(dtype);
  }
}

TEST(Digits, OthersAreMarkedAndElementsWithoutANumberAreNot) {
  for (DType dtype : all_dtypes()) {
    std::vector<std::byte> bytes = filled(dtype, 301, 4, 0);
    std::vector<bool> marked(4);
    mark_others(bytes, dtype, std::vector<int64_t>{301, 302, 303, 304}, 0, marked);
    EXPECT_EQ(marked, std::vector<bool>({false, false, false, false})) << dtype_name(dtype);
    mark_others(bytes, dtype, std::vector<int64_t>{0, 301, 303, -1}, 0, marked);
    EXPECT_EQ(marked, std::vector<bool>({false, true, false, false})) << dtype_name(dtype);
  }
}

TEST(Digits, AreTheNumbersThatTheyStandFor) {
  // Base 128: number 301 is 2 * 128 + 45.
  std::vector<std::byte> low = filled(DType::f32, 301, 1, 0), high = filled(DType::f32, 301, 1, 1);
  float values[2];
  std::memcpy(&values[0], low.data(), 4);
  std::memcpy(&values[1], high.data(), 4);
  EXPECT_EQ(values[0], 45.0f);
  EXPECT_EQ(values[1], 2.0f);
}

TEST(Digits, BasesAreThoseOfTheDesign) {
  EXPECT_EQ(digit_base(DType::bf16), 128);
  EXPECT_EQ(digit_base(DType::i8), 128);
  EXPECT_EQ(digit_base(DType::e4m3), 16);
  EXPECT_EQ(digit_base(DType::e5m2), 8);
  EXPECT_EQ(digit_base(DType::boolean), 2);
}

TEST(Digits, OnlyTheBaseManyPatternsAreDigits) {
  for (DType dtype : all_dtypes()) {
    if (dtype_size(dtype) > 2) continue;
    std::set<int> digits;
    int legal = 0;
    for (unsigned bits = 0; bits < 1u << (8 * dtype_size(dtype)); ++bits) {
      if (std::optional<int> digit = digit_of(dtype, reinterpret_cast<const std::byte*>(&bits))) ++legal, digits.insert(*digit);
    }
    EXPECT_EQ(legal, digit_base(dtype)) << dtype_name(dtype);
    EXPECT_EQ(static_cast<int>(digits.size()), digit_base(dtype)) << dtype_name(dtype);
  }
}

TEST(Digits, PoisonIsNoDigit) {
  for (DType dtype : all_dtypes()) {
    for (int poison : {0xFF, 0xA5}) {
      std::vector<std::byte> element(8, static_cast<std::byte>(poison));
      EXPECT_EQ(digit_of(dtype, element.data()), std::nullopt) << dtype_name(dtype) << " " << poison;
    }
  }
}

TEST(Digits, PlanesAreJustEnoughForTheLastNumberOfEachDtype) {
  auto planes = [](std::vector<std::pair<DType, int64_t>> sizes) {
    std::vector<model::Delivery> deliveries;
    for (auto [dtype, size] : sizes) deliveries.push_back({.name = "w", .shape = {size}, .dtype = dtype});
    return digit_planes(deliveries);
  };
  EXPECT_EQ(planes({}), 0);
  EXPECT_EQ(planes({{DType::bf16, 127}}), 1);
  EXPECT_EQ(planes({{DType::bf16, 128}}), 2);
  EXPECT_EQ(planes({{DType::boolean, 1}}), 1);
  EXPECT_EQ(planes({{DType::boolean, 2}}), 2);
  EXPECT_EQ(planes({{DType::bf16, 16000}, {DType::e4m3, 1}}), 4);  // numbers of both go on counting: the last one is 16,001
}

}  // namespace
}  // namespace reloadlab::sim
