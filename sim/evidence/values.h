#pragma once
// Elements as people read them, from raw bytes alone: numbers of every dtype, indices, ranges of rows.
#include <cstddef>
#include <string>
#include <vector>

#include "reference/base/scalar.h"

namespace reloadlab::sim {

// The element's value; every bool, integer below 2^53 and float of 32 bits or less is exact.
double decode_value(DType dtype, const std::byte* element);

// The shortest text that tells the value apart ("1.0859375", "-3", "nan", "true").
std::string value_text(DType dtype, const std::byte* element);

// True where every byte of the element is that of fresh memory in executions with poison pattern 0 (FF) or 1 (A5) and the
// dtype has more than one byte or makes it NaN, so that ordinary data hardly looks like it.
bool looks_poisoned(DType dtype, const std::byte* element);

// Row-major: flat 65 of [4, 32] is {2, 1}. REQUIRES 0 <= flat < numel(shape).
Shape unflatten(const Shape& shape, int64_t flat);

std::string list_text(const Shape& numbers);  // "[32, 0]"
std::string count_text(int64_t number);       // "6,144"

// What of a tensor a sorted list of flat indices touches: "rows 32-63", "rows 0, 4-7", "elements 3-5" for one dimension, "all rows".
std::string extent_text(const Shape& shape, const std::vector<int64_t>& sorted_flat);

}  // namespace reloadlab::sim
