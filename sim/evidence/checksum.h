#pragma once
// A checksum of a tensor's elements by position, that a device can compute with a product and a sum: elements are taken as signed
// integers of their width, times a factor of their place, and added up modulo 2^64. Elements that change places are seen; it guards
// against accidents, not against attacks.
#include <cstddef>
#include <cstdint>
#include <span>

namespace reloadlab::sim {

// The factor of place i: (i * scale + shift) | 1, modulo 2^64. Odd, so that no change of one element is lost.
constexpr int64_t checksum_scale = static_cast<int64_t>(0x9E3779B97F4A7C15);
constexpr int64_t checksum_shift = static_cast<int64_t>(0xD1B54A32D192ED03);

// Of dense bytes, row by row. `width`: bytes of an element, 1, 2, 4 or 8, which divide them.
int64_t checksum(std::span<const std::byte> bytes, size_t width);

}  // namespace reloadlab::sim
