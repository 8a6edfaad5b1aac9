#pragma once
// A place in a scenario file. Line and column count from 1, as editors do.
#include <compare>

namespace reloadlab::sim {

struct Position {
  int line = 1;
  int column = 1;
  auto operator<=>(const Position&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 in it
};

}  // namespace reloadlab::sim
