#include "sim/compare/likeness.h"

#include <cstdint>
#include <cstring>

namespace reloadlab::sim {
namespace {

// Neighbours of one sign are neighbours as integers; of two signs there are none but the zeros.
template <class Integer>
bool are_neighbours(const Bytes& one, const Bytes& other) {
  for (size_t at = 0; at + sizeof(Integer) <= one.size(); at += sizeof(Integer)) {
    Integer a = 0, b = 0;
    std::memcpy(&a, one.data() + at, sizeof a);
    std::memcpy(&b, other.data() + at, sizeof b);
    if ((a > b ? a - b : b - a) > 1) return false;
  }
  return true;
}

}  // namespace

Likeness likeness(DType dtype, const Bytes& one, const Bytes& other) {
  if (one == other) return Likeness::same;
  if (one.size() != other.size()) return Likeness::different;
  const bool near = (dtype == DType::f64 && are_neighbours<uint64_t>(one, other)) ||
                    (dtype == DType::f32 && are_neighbours<uint32_t>(one, other)) ||
                    ((dtype == DType::f16 || dtype == DType::bf16) && are_neighbours<uint16_t>(one, other));
  return near ? Likeness::last_bit : Likeness::different;
}

}  // namespace reloadlab::sim
