#include "sim/checkpoint/digits.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "sim/checkpoint/element.h"

namespace reloadlab::sim {
namespace {

constexpr int base_max = 128;

// Bases are powers of two, so digits are groups of bits.
constexpr int digit_bits(DType dtype) {
  switch (dtype) {
    case DType::e4m3:
      return 4;
    case DType::e5m2:
      return 3;
    case DType::boolean:
      return 1;
    default:
      return 7;
  }
}

constexpr uint64_t digit_mask(DType dtype) { return (1ULL << digit_bits(dtype)) - 1; }

constexpr uint64_t encode(DType dtype, unsigned digit) {
  if (digit == 0 || !is_float(dtype)) return digit;
  FloatBits bits = float_bits(dtype);
  int power = static_cast<int>(std::bit_width(digit)) - 1;
  uint64_t fraction = digit ^ (1u << power);
  return bits.power_of_two(power) | fraction << (bits.mantissa_bits - power);
}

// An integer of w bits needs w - 1 bits of mantissa.
static_assert(digit_bits(DType::bf16) - 1 <= float_bits(DType::bf16).mantissa_bits);
static_assert(digit_bits(DType::e4m3) - 1 <= float_bits(DType::e4m3).mantissa_bits);
static_assert(digit_bits(DType::e5m2) - 1 <= float_bits(DType::e5m2).mantissa_bits);

using DigitCodes = std::array<uint64_t, base_max>;

DigitCodes codes_of(DType dtype) {
  DigitCodes codes{};
  for (unsigned digit = 0; digit <= digit_mask(dtype); ++digit) codes[digit] = encode(dtype, digit);
  return codes;
}

const DigitCodes& digit_codes(DType dtype) {
  static const std::vector<DigitCodes> tables = [] {
    std::vector<DigitCodes> all;
    for (DType each : all_dtypes()) all.push_back(codes_of(each));
    return all;
  }();
  return tables[static_cast<size_t>(dtype)];
}

// The only digit that these bits could encode.
uint64_t candidate_digit(DType dtype, uint64_t element) {
  if (element == 0 || !is_float(dtype)) return element;
  FloatBits bits = float_bits(dtype);
  int64_t power = static_cast<int64_t>(element >> bits.mantissa_bits) - bits.exponent_bias;
  if (power < 0 || power >= digit_bits(dtype)) return base_max;
  uint64_t significand = (element & ((1ULL << bits.mantissa_bits) - 1)) | 1ULL << bits.mantissa_bits;
  return significand >> (bits.mantissa_bits - power);
}

}  // namespace

int digit_base(DType dtype) { return 1 << digit_bits(dtype); }

std::vector<int64_t> first_numbers(const std::vector<model::Delivery>& deliveries) {
  std::vector<int64_t> first = {1};
  for (const model::Delivery& delivery : deliveries) first.push_back(first.back() + numel(delivery.shape));
  return first;
}

int digit_planes(const std::vector<model::Delivery>& deliveries) {
  std::vector<int64_t> first = first_numbers(deliveries);
  int planes = 0;
  for (size_t i = 0; i < deliveries.size(); ++i) {
    int bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(first[i + 1] - 1)));  // of the delivery's last number
    int per_plane = digit_bits(deliveries[i].dtype);
    planes = std::max(planes, (bits + per_plane - 1) / per_plane);
  }
  return planes;
}

int digit_at(DType dtype, int64_t number, int plane) {
  int shift = plane * digit_bits(dtype);
  return shift >= 63 ? 0 : static_cast<int>(static_cast<uint64_t>(number) >> shift & digit_mask(dtype));
}

std::optional<int> digit_of(DType dtype, const std::byte* element) {
  uint64_t bits = 0;
  std::memcpy(&bits, element, static_cast<size_t>(dtype_size(dtype)));
  uint64_t digit = candidate_digit(dtype, bits);
  if (digit > digit_mask(dtype) || encode(dtype, static_cast<unsigned>(digit)) != bits) return std::nullopt;
  return static_cast<int>(digit);
}

void mark_others(std::span<const std::byte> bytes, DType dtype, std::span<const int64_t> numbers, int plane, std::vector<bool>& marked) {
  const DigitCodes& codes = digit_codes(dtype);
  const auto size = static_cast<size_t>(dtype_size(dtype));
  RELOADLAB_CHECK(bytes.size() >= numbers.size() * size, "an element is missing");
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] <= 0) continue;
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * size, size);
    if (bits != codes[static_cast<size_t>(digit_at(dtype, numbers[i], plane))]) marked[i] = true;
  }
}

void fill_digits(std::span<std::byte> bytes, DType dtype, int64_t first_number, int plane) {
  const DigitCodes codes = digit_codes(dtype);  // a copy: stores into `bytes` could change the table for all that is known
  with_elements(bytes, dtype, [&]<class Bits>(std::span<Bits> elements) {
    for (size_t i = 0; i < elements.size(); ++i) {
      elements[i] = static_cast<Bits>(codes[static_cast<size_t>(digit_at(dtype, first_number + static_cast<int64_t>(i), plane))]);
    }
  });
}

static_assert(std::endian::native == std::endian::little);  // digit_of() reads elements into the low bytes

}  // namespace reloadlab::sim
