#include "reference/base/prng.h"
#include "sim/checkpoint/element.h"
#include "sim/checkpoint/values.h"

namespace reloadlab::sim {
namespace {

// The bits of the dtype's values: magnitudes lowest, lowest + 1, ... without `skipped`, each with both signs where there is a sign.
struct Codes {
  uint64_t values;  // how many
  uint64_t lowest;
  uint64_t skipped;    // would read as poison
  uint64_t sign_mask;  // 0: no sign
};

constexpr uint64_t nothing_skipped = ~uint64_t{0};

constexpr Codes wide_float(DType dtype, uint64_t skipped = nothing_skipped) {
  FloatBits bits = float_bits(dtype);
  uint64_t lowest = bits.power_of_two(-8), end = bits.power_of_two(-2);
  return {2 * (end - lowest - (skipped != nothing_skipped)), lowest, skipped, bits.sign_mask};
}

// 0x01 to 0x3F: subnormals are welcome where there are so few values.
constexpr Codes small_float() { return {2ULL * (0x3F - 1), 1, 0x25, 0x80}; }

constexpr Codes synthetic_codes_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::f32:
    case DType::bf16:
      return wide_float(dtype);
    case DType::f16:
      return wide_float(dtype, poison_a5<uint16_t> & 0x7FFF);
    case DType::e4m3:
    case DType::e5m2:
      return small_float();
    case DType::i64:
    case DType::i32:
      return {1 << 20, 1, nothing_skipped, 0};
    case DType::i16:
      return {1 << 14, 1, nothing_skipped, 0};
    case DType::i8:
    case DType::u8:
      return {0xFE - 1, 1, poison_a5<uint8_t>, 0};  // every byte but 0x00, 0xA5 and 0xFF
    case DType::boolean:
      return {2, 0, nothing_skipped, 0};
  }
  return {};
}

template <class Bits>
void fill(std::span<Bits> elements, const Codes codes, uint64_t key, uint64_t rotation) {
  const int sign_bits = codes.sign_mask != 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    uint64_t value = static_cast<uint64_t>(static_cast<unsigned __int128>(mix64(key + i)) * codes.values >> 64) + rotation;
    value -= value >= codes.values ? codes.values : 0;
    uint64_t magnitude = codes.lowest + (value >> sign_bits);
    magnitude += magnitude >= codes.skipped;
    elements[i] = static_cast<Bits>(magnitude | ((0 - (value & 1)) & codes.sign_mask));
  }
}

}  // namespace

uint64_t synthetic_values(DType dtype) { return synthetic_codes_of(dtype).values; }

void fill_synthetic(std::span<std::byte> bytes, DType dtype, uint64_t seed, std::string_view name) {
  // The low part of the seed rotates every element's value, which no two elements of two checkpoints can survive alike; the rest
  // of it goes into the hash.
  const Codes codes = synthetic_codes_of(dtype);
  uint64_t key = mix64(hash_name(name) ^ mix64(seed / codes.values));
  with_elements(bytes, dtype, [&](auto elements) { fill(elements, codes, key, seed % codes.values); });
}

}  // namespace reloadlab::sim
