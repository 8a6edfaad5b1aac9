#pragma once
// Provenance in digit planes. Every element of every delivery has a number: its index within its delivery, plus the elements of
// the deliveries before it, plus one (so that zero means "from nowhere"). No small dtype can hold such a number, so run j loads
// digit j of it, in a base whose digits every dtype of the family holds exactly:
//
//   element 300 of the only delivery, bf16, base 128: number 301 = 2 * 128 + 45  ->  plane 0 holds 45.0, plane 1 holds 2.0
//
// The wide dtypes share one base, so a cast between them keeps every digit. No LibTorch here: laws decode what landed.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "reference/base/scalar.h"
#include "reference/model/spec.h"

namespace reloadlab::sim {

int digit_base(DType dtype);                                       // 128; e4m3 16, e5m2 8, bool 2
int digit_planes(const std::vector<model::Delivery>& deliveries);  // planes until every number of every delivery is told apart
// Per delivery, the number of its first element; one more entry at the end: the first number that no delivery has.
std::vector<int64_t> first_numbers(const std::vector<model::Delivery>& deliveries);
int digit_at(DType dtype, int64_t number, int plane);
// Reads one element's digit back from the value that landed; nullopt: no legal digit (poison, most paddings).
std::optional<int> digit_of(DType dtype, const std::byte* element);
// Marks the elements of `bytes` that are not digit `plane` of their number. Elements without a number (0 or less) are not looked at.
// REQUIRES an element for every number; `marked` is as long as `numbers`.
void mark_others(std::span<const std::byte> bytes, DType dtype, std::span<const int64_t> numbers, int plane, std::vector<bool>& marked);
// Fills `bytes` with digit `plane` of first_number, first_number + 1, ...
void fill_digits(std::span<std::byte> bytes, DType dtype, int64_t first_number, int plane);

}  // namespace reloadlab::sim
