#include <algorithm>
#include <limits>

#include "reference/base/prng.h"
#include "sim/checkpoint/element.h"
#include "sim/checkpoint/values.h"

namespace reloadlab::sim {
namespace {

// Moves a float by `steps` of its own spacing, up or down. Magnitudes are ordered as values are, and no step reaches zero or
// leaves the finite ones.
template <class Bits>
class FloatChange {
 public:
  explicit FloatChange(DType dtype)
      : bits_(float_bits(dtype)),
        steps_max_(bits_.mantissa_bits > 6 ? 1ULL << (bits_.mantissa_bits - 6) : 1),
        from_zero_(bits_.exponent_bias > 10 ? bits_.power_of_two(-10) : 0) {}

  Bits operator()(Bits element, uint64_t hash) const {
    uint64_t sign = element & bits_.sign_mask, magnitude = element & ~bits_.sign_mask;
    uint64_t steps = steps_max_ - (hash >> 8 & (steps_max_ - 1) >> 1);
    if (magnitude == 0) return static_cast<Bits>(sign | (from_zero_ + steps));
    if (magnitude > bits_.largest) return static_cast<Bits>(sign | (bits_.power_of_two(0) + steps));
    // Without a branch on the hash, which no processor can foretell.
    bool up = (magnitude <= steps) | ((hash & 1) & static_cast<uint64_t>(magnitude + steps <= bits_.largest));
    uint64_t down = static_cast<uint64_t>(up) - 1;  // all ones or zero
    Bits changed = static_cast<Bits>(sign | (magnitude + ((steps ^ down) - down)));
    if (changed == poison_a5<Bits>) changed = static_cast<Bits>(up ? changed + 1 : changed - 1);
    return changed;
  }

 private:
  FloatBits bits_;
  uint64_t steps_max_;  // one or two percent of the value; a power of two
  uint64_t from_zero_;
};

template <class Bits>
class IntegerChange {
 public:
  explicit IntegerChange(bool is_signed) : is_signed_(is_signed) {}

  Bits operator()(Bits element, uint64_t hash) const {
    constexpr Bits steps[] = {Bits{1}, static_cast<Bits>(-1), Bits{2}, static_cast<Bits>(-2)};
    for (uint64_t attempt = hash % 4;; ++attempt) {
      Bits step = steps[attempt % 4];
      Bits changed = static_cast<Bits>(element + step);
      if (changed != 0 && changed != poison_ones<Bits> && changed != poison_a5<Bits> && !wraps(element, changed, step)) return changed;
    }
  }

 private:
  // Order of integers is order of their bits, once the sign bit of signed ones is turned.
  bool wraps(Bits before, Bits after, Bits step) const {
    constexpr Bits top = static_cast<Bits>(Bits{1} << (std::numeric_limits<Bits>::digits - 1));
    Bits turn = is_signed_ ? top : Bits{0};
    bool upwards = step < top;
    return upwards != ((after ^ turn) > (before ^ turn));
  }

  bool is_signed_;
};

template <class Bits, class Change>
void change_all(std::span<Bits> elements, uint64_t key, const Change& change) {
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = change(elements[i], mix64(key + i));
}

}  // namespace

void perturb(std::span<std::byte> bytes, DType dtype, uint64_t seed, std::string_view name) {
  uint64_t key = mix64(hash_name(name) ^ mix64(seed));
  with_elements(bytes, dtype, [&]<class Bits>(std::span<Bits> elements) {
    if (is_float(dtype)) {
      change_all(elements, key, FloatChange<Bits>(dtype));
    } else if (dtype == DType::boolean) {
      change_all(elements, key, [](Bits element, uint64_t) { return static_cast<Bits>(element == 0); });
    } else {
      change_all(elements, key, IntegerChange<Bits>(is_signed_integer(dtype)));
    }
  });
}

}  // namespace reloadlab::sim
