#pragma once
// Elements as bits: what a small float, a large float and an integer have in common, so that values can be made, changed and
// recognized without LibTorch. A float's bits without the sign (its magnitude) grow with its absolute value, which turns ranges of
// values into ranges of integers:
//
//   bf16   s eeeeeeee mmmmmmm     sign_mask 0x8000, one 0x3F80 (1.0), largest 0x7F7F (the last finite one)
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "reference/base/check.h"
#include "reference/base/scalar.h"

namespace reloadlab::sim {

struct FloatBits {
  int mantissa_bits;
  int exponent_bias;
  uint64_t sign_mask;
  uint64_t largest;  // magnitude of the largest finite value

  // The magnitude of 2^power. REQUIRES that it is a normal number.
  constexpr uint64_t power_of_two(int power) const { return static_cast<uint64_t>(exponent_bias + power) << mantissa_bits; }
};

constexpr bool is_float(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::e4m3 ||
         dtype == DType::e5m2;
}
constexpr bool is_signed_integer(DType dtype) {
  return dtype == DType::i64 || dtype == DType::i32 || dtype == DType::i16 || dtype == DType::i8;
}

// REQUIRES is_float(dtype).
constexpr FloatBits float_bits(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {52, 1023, 1ULL << 63, 0x7FEFFFFFFFFFFFFFULL};
    case DType::f32:
      return {23, 127, 1ULL << 31, 0x7F7FFFFF};
    case DType::f16:
      return {10, 15, 0x8000, 0x7BFF};
    case DType::bf16:
      return {7, 127, 0x8000, 0x7F7F};
    case DType::e4m3:
      return {3, 7, 0x80, 0x7E};  // no infinities: only 0x7F is not a number
    case DType::e5m2:
      return {2, 15, 0x80, 0x7B};
    default:
      break;
  }
  RELOADLAB_CHECK(false, "not a float");
}

// The two poison patterns of fresh and of freed memory, byte by byte, as an element of this many bytes reads them.
template <class Bits>
constexpr Bits poison_ones = static_cast<Bits>(~Bits{0});
template <class Bits>
constexpr Bits poison_a5 = static_cast<Bits>(0xA5A5A5A5A5A5A5A5ULL);

// Calls fn with `bytes` seen as elements of the dtype's size: span<uint8_t>, span<uint16_t>, ... REQUIRES suitable alignment.
template <class Fn>
void with_elements(std::span<std::byte> bytes, DType dtype, Fn&& fn) {
  auto as = [&]<class Bits>(Bits*) { fn(std::span(reinterpret_cast<Bits*>(bytes.data()), bytes.size() / sizeof(Bits))); };
  switch (dtype_size(dtype)) {
    case 1:
      return as(static_cast<uint8_t*>(nullptr));
    case 2:
      return as(static_cast<uint16_t*>(nullptr));
    case 4:
      return as(static_cast<uint32_t*>(nullptr));
    default:
      return as(static_cast<uint64_t*>(nullptr));
  }
}

}  // namespace reloadlab::sim
