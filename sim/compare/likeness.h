#pragma once
// Whether two devices computed the same: each rounds for itself where it divides (a CUDA device multiplies by the reciprocal of a divisor
// that its host knows), so that numbers may differ in their last bit.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

enum class Likeness {
  same,
  last_bit,  // floating-point numbers, each of which is the other's, or a neighbour of it
  different,
};
Likeness likeness(DType dtype, const Bytes& one, const Bytes& other);

}  // namespace reloadlab::sim
