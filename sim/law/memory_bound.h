#pragma once
// Extra memory of each update, seen and planned: the law asks for seen <= planned, tests of our own engines for equality.
#include <vector>

#include "sim/law/reading.h"

namespace reloadlab::sim {

struct PeakPair {
  int rank = 0;
  StepRange update;
  int64_t seen = 0;     // bytes above what was live when the update began
  int64_t planned = 0;  // semantics.md point 9 for the arrival order
};

// One per update of the warm execution that ran to its end, in rank and step order.
std::vector<PeakPair> memory_peaks(const Evidence& evidence);

}  // namespace reloadlab::sim
