#pragma once
// Values out of seeds. No LibTorch here.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "reference/base/scalar.h"

namespace reloadlab::sim {

// How many different values fill_synthetic() gives to elements of the dtype. Two seeds whose quotient by this number is the same
// differ in every element: 1 and 2 do, for every dtype but bool, where 2 and 3 do.
uint64_t synthetic_values(DType dtype);

// Fills `bytes` (whole elements, aligned) with the values that (seed, name) stands for: a hash of the element's index, folded into
// the dtype. Floats lie in [2^-8, 2^-2) with either sign (e4m3 and e5m2 below 2), so that forwards of deep models stay finite;
// integers in [1, 2^20]; never zero (bool apart), never a poison pattern.
void fill_synthetic(std::span<std::byte> bytes, DType dtype, uint64_t seed, std::string_view name);

// Changes every element of `bytes` by about one percent (the smallest step of small dtypes, one or two for integers, the other value
// for bool), by amounts that (seed, name) stands for. Finite values stay finite, nothing becomes zero (bool apart) or poison; a zero
// becomes about 2^-10, and what is not finite becomes about one.
void perturb(std::span<std::byte> bytes, DType dtype, uint64_t seed, std::string_view name);

}  // namespace reloadlab::sim
