#pragma once
// Makes a failing case small, in the order in which people want it small: fewer ranks, then layers, parameters, elements, steps, load
// calls, and then whatever makes its file shorter. What is kept is what was asked for, and nothing but that: a case that fails for another
// reason is no smaller version of this one.
#include <array>
#include <functional>
#include <optional>
#include <string>

#include "reference/base/status.h"
#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// The smaller the better, the first number first.
using Size = std::array<int64_t, 8>;
Size size_of(const Case& the_case);

struct Shrunk {
  Answers answers;
  Case the_case;
  int64_t tries = 0;
  bool ended = true;  // there is nothing left to try; otherwise the tries or the time were used up
};

struct ShrinkLimits {
  int64_t tries = 0;
  std::function<bool()> time_is_up;  // asked before each try; empty: it never is
};

// REQUIRES that `holds` is true of the case of these answers, drawn for `on` (generate.h).
Result<Shrunk> shrink(const std::string& system, const Answers& answers, const std::function<bool(const Case&)>& holds,
                      const ShrinkLimits& limits, std::optional<WorldKind> on = {});

}  // namespace reloadlab::sim::fuzz
