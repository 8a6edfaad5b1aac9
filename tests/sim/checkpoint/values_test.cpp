// Synthetic values and perturbations, element by element, as bits.
#include "sim/checkpoint/values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/checkpoint/element.h"

namespace reloadlab::sim {
namespace {

using Elements = std::vector<uint64_t>;  // the bits of each

Elements elements_of(std::span<const std::byte> bytes, DType dtype) {
  size_t size = static_cast<size_t>(dtype_size(dtype));
  Elements elements(bytes.size() / size);
  for (size_t i = 0; i < elements.size(); ++i) std::memcpy(&elements[i], bytes.data() + i * size, size);
  return elements;
}

std::vector<std::byte> bytes_of(const Elements& elements, DType dtype) {
  size_t size = static_cast<size_t>(dtype_size(dtype));
  std::vector<std::byte> bytes(elements.size() * size);
  for (size_t i = 0; i < elements.size(); ++i) std::memcpy(bytes.data() + i * size, &elements[i], size);
  return bytes;
}

Elements synthetic(DType dtype, uint64_t seed, std::string_view name, size_t count) {
  std::vector<std::byte> bytes(count * static_cast<size_t>(dtype_size(dtype)));
  fill_synthetic(bytes, dtype, seed, name);
  return elements_of(bytes, dtype);
}

Elements perturbed(DType dtype, const Elements& elements, uint64_t seed) {
  std::vector<std::byte> bytes = bytes_of(elements, dtype);
  perturb(bytes, dtype, seed, "w");
  return elements_of(bytes, dtype);
}

bool is_poison(DType dtype, uint64_t element) {
  std::vector<std::byte> bytes = bytes_of({element}, dtype);
  std::set<std::byte> different(bytes.begin(), bytes.end());
  return different.size() == 1 && (different.contains(std::byte{0xFF}) || different.contains(std::byte{0xA5}));
}

double value_of(DType dtype, uint64_t element) {
  FloatBits bits = float_bits(dtype);
  uint64_t magnitude = element & ~bits.sign_mask;
  int exponent = static_cast<int>(magnitude >> bits.mantissa_bits);
  double fraction = static_cast<double>(magnitude & ((1ULL << bits.mantissa_bits) - 1)) / static_cast<double>(1ULL << bits.mantissa_bits);
  double value = exponent == 0 ? std::ldexp(fraction, 1 - bits.exponent_bias) : std::ldexp(1 + fraction, exponent - bits.exponent_bias);
  return element & bits.sign_mask ? -value : value;
}

bool is_finite(DType dtype, uint64_t element) {
  return !is_float(dtype) || (element & ~float_bits(dtype).sign_mask) <= float_bits(dtype).largest;
}

TEST(Synthetic, ValuesAreFiniteNotZeroAndNotPoison) {
  for (DType dtype : all_dtypes()) {
    for (uint64_t seed : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
      for (uint64_t element : synthetic(dtype, seed, "blocks.0.qkv.weight", 100'000)) {
        ASSERT_TRUE(is_finite(dtype, element)) << dtype_name(dtype);
        ASSERT_FALSE(is_poison(dtype, element)) << dtype_name(dtype);
        if (dtype == DType::boolean) {
          ASSERT_LE(element, 1u);
        } else {
          ASSERT_NE(element, 0u) << dtype_name(dtype);
        }
        if (is_float(dtype)) {
          ASSERT_LT(std::fabs(value_of(dtype, element)), dtype_size(dtype) == 1 ? 2.0 : 0.25);
        }
        if (is_signed_integer(dtype) && dtype != DType::i8) {
          ASSERT_LE(element, 1u << 20);
        }
      }
    }
  }
}

TEST(Synthetic, EveryDeclaredValueOccurs) {
  for (DType dtype : {DType::e4m3, DType::e5m2, DType::i8, DType::u8, DType::boolean, DType::f16, DType::bf16}) {
    Elements elements = synthetic(dtype, 3, "w", 400'000);
    EXPECT_EQ(std::set<uint64_t>(elements.begin(), elements.end()).size(), synthetic_values(dtype)) << dtype_name(dtype);
  }
}

TEST(Synthetic, ConsecutiveSeedsDifferInEveryElement) {
  for (DType dtype : all_dtypes()) {
    uint64_t seed = dtype == DType::boolean ? 2 : 1;
    Elements a = synthetic(dtype, seed, "w", 10'000), b = synthetic(dtype, seed + 1, "w", 10'000);
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NE(a[i], b[i]) << dtype_name(dtype);
  }
}

TEST(Synthetic, ABlockOfThirtyTwoDiffersFromEveryOtherOfAnyShardLayerOrCheckpoint) {
  const size_t block = 32;
  for (DType dtype : all_dtypes()) {
    std::map<Elements, std::string> seen;
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      for (int layer = 0; layer < 8; ++layer) {
        for (std::string_view shard : {"q_proj", "k_proj", "v_proj"}) {
          std::string name = "blocks." + std::to_string(layer) + "." + std::string(shard) + ".weight";
          Elements elements = synthetic(dtype, seed, name, 8 * block);
          for (size_t at = 0; at < elements.size(); at += block) {
            Elements part(elements.begin() + static_cast<long>(at), elements.begin() + static_cast<long>(at + block));
            auto [other, fresh] = seen.emplace(std::move(part), name);
            ASSERT_TRUE(fresh) << dtype_name(dtype) << ": " << name << " has a block of " << other->second;
          }
        }
      }
    }
  }
}

TEST(Synthetic, ValuesDependOnSeedNameAndIndexOnly) {
  Elements whole = synthetic(DType::f32, 7, "w", 100), part = synthetic(DType::f32, 7, "w", 10);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
  EXPECT_EQ(synthetic(DType::bf16, 1, "embed.weight", 4), (Elements{0x3D0D, 0x3C3C, 0x3E3D, 0xBD1A}));
}

TEST(Perturb, EveryElementChangesAndStaysFiniteAndIsNeverZeroOrPoison) {
  for (DType dtype : all_dtypes()) {
    Elements before = synthetic(dtype, 1, "w", 100'000);
    if (dtype_size(dtype) <= 2) {  // whatever bits a file may hold
      for (uint64_t bits = 0; bits < 1u << (8 * dtype_size(dtype)); ++bits)
        if (dtype != DType::boolean || bits < 2) before.push_back(bits);
    }
    for (uint64_t seed : {5u, 6u}) {
      Elements after = perturbed(dtype, before, seed);
      for (size_t i = 0; i < before.size(); ++i) {
        ASSERT_NE(after[i], before[i]) << dtype_name(dtype);
        ASSERT_TRUE(is_finite(dtype, after[i])) << dtype_name(dtype) << " " << before[i];
        if (dtype == DType::boolean) continue;
        ASSERT_FALSE(is_poison(dtype, after[i])) << dtype_name(dtype) << " " << before[i];
        ASSERT_NE(after[i] & (is_float(dtype) ? ~float_bits(dtype).sign_mask : ~uint64_t{0}), 0u) << dtype_name(dtype) << " " << before[i];
      }
    }
  }
}

TEST(Perturb, WideFloatsChangeByAboutOnePercent) {
  for (DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    Elements before = synthetic(dtype, 1, "w", 10'000), after = perturbed(dtype, before, 5);
    int up = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      double ratio = value_of(dtype, after[i]) / value_of(dtype, before[i]);
      ASSERT_LE(std::fabs(ratio - 1), 0.024) << dtype_name(dtype);
      ASSERT_GE(std::fabs(ratio - 1), 0.003) << dtype_name(dtype);
      up += ratio > 1;
    }
    EXPECT_NEAR(up, 5000, 300) << dtype_name(dtype);
  }
}

TEST(Perturb, ZeroAndWhatIsNotFiniteBecomeOrdinaryNumbers) {
  for (DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::e5m2}) {
    FloatBits bits = float_bits(dtype);
    Elements after = perturbed(dtype, {0, bits.largest + 1, bits.sign_mask | (bits.largest + 1)}, 5);
    EXPECT_NEAR(value_of(dtype, after[0]), 1.0 / 1024, 1.0 / 3000) << dtype_name(dtype);
    EXPECT_NEAR(value_of(dtype, after[1]), 1, 0.3) << dtype_name(dtype);
    EXPECT_NEAR(value_of(dtype, after[2]), -1, 0.3) << dtype_name(dtype);
  }
}

TEST(Perturb, IntegersChangeByOneOrTwoAndNeverWrap) {
  for (DType dtype : {DType::i8, DType::i16}) {
    auto as_signed = [&](uint64_t element) {
      return dtype == DType::i8 ? static_cast<int>(static_cast<int8_t>(element)) : static_cast<int>(static_cast<int16_t>(element));
    };
    Elements before;
    for (uint64_t bits = 0; bits < 1u << (8 * dtype_size(dtype)); ++bits) before.push_back(bits);
    Elements after = perturbed(dtype, before, 5);
    for (size_t i = 0; i < before.size(); ++i) {
      int change = std::abs(as_signed(after[i]) - as_signed(before[i]));
      ASSERT_TRUE(change == 1 || change == 2) << as_signed(before[i]) << " -> " << as_signed(after[i]);
    }
  }
}

TEST(Perturb, DependsOnTheSeed) {
  Elements before = synthetic(DType::f32, 1, "w", 100);
  EXPECT_NE(perturbed(DType::f32, before, 5), perturbed(DType::f32, before, 6));
  EXPECT_EQ(perturbed(DType::f32, before, 5), perturbed(DType::f32, before, 5));
}

}  // namespace
}  // namespace reloadlab::sim
