#pragma once
// Number formats by their definitions, for tests that write arithmetic down again without LibTorch.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace reloadlab::model {

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// To the nearest bf16, ties to even: the upper half of the bits, after half of its last step is added.
inline float to_bf16(float value) {
  if (std::isnan(value)) return value;
  const auto bits = std::bit_cast<uint32_t>(value);
  return from_bf16(static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
}

// e4m3: four exponent bits with a bias of 7, three of mantissa, no infinity, NaN is all ones.
inline float from_e4m3(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if ((bits & 0x7f) == 0x7f) return NAN;
  const float size =
      exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9) : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return bits & 0x80 ? -size : size;
}

// To the nearest e4m3, ties to even, what is larger than the largest to the largest.
inline uint8_t to_e4m3(float value) {
  const int sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return static_cast<uint8_t>(sign | 0x7f);
  const double size = std::min(std::abs(static_cast<double>(value)), 448.0);
  int exponent = 0;
  std::frexp(size, &exponent);
  const bool denormal = size == 0 || exponent - 1 < -6;
  const auto steps = static_cast<int>(std::nearbyint(size / std::ldexp(1, std::max(exponent - 1, -6) - 3)));
  return static_cast<uint8_t>(sign | (denormal ? static_cast<int>(std::nearbyint(std::ldexp(size, 9))) : (exponent + 6) * 8 + steps - 8));
}

// What post-load steps leave: whatever is no number has one spelling.
inline uint8_t kernel_e4m3(float value) { return std::isnan(value) ? 0x7f : to_e4m3(value); }
inline bool same_bits(float got, float wanted) {
  constexpr uint32_t one_nan = 0x7fc00000;
  return std::bit_cast<uint32_t>(got) == (std::isnan(wanted) ? one_nan : std::bit_cast<uint32_t>(wanted));
}

}  // namespace reloadlab::model
