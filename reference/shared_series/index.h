#pragma once
// The index bases of a series. They are types of their own because mixing the first two is the ring's classic bug.
//
//   absolute i   31 32 33 34 … 60        L = 30, s = 31, n = 4
//   offset i-s    0  1  2  3 … 29
//   owner i%n     3  0  1  2 …  0
#include <compare>
#include <cstdint>

namespace reloadlab::shared_series {

struct LayerIndex {  // absolute, as the model numbers its layers
  int64_t value;
  auto operator<=>(const LayerIndex&) const = default;
};

struct SeriesOffset {  // relative to the series' first layer
  int64_t value;
  auto operator<=>(const SeriesOffset&) const = default;
};

struct WindowSlot {
  int64_t value;
  auto operator<=>(const WindowSlot&) const = default;
};

}  // namespace reloadlab::shared_series
