#pragma once
// Whether two worlds say the same of one case, line by line.
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct Row {
  enum class State {
    agrees,
    known,  // they differ, and it is known why (known.h)
    differs,
    left_out,  // there is nothing to compare
  } state = State::agrees;
  std::string what;  // "sequence"
  std::string says;  // what there is, where they first differ, or why nothing is compared
};

// Of the same case and candidate in two worlds. Where steps end otherwise in one of them, the rest is compared up to there.
std::vector<Row> hold_against(const Evidence& one, const Evidence& other);

}  // namespace reloadlab::sim
