#pragma once
// Extra memory of each update, seen and planned (sim/replay/memory_model.h, or whole_model_memory.h where scope=model is declared): the law
// asks for seen <= planned, tests of our own engines for equality.
//
// One rule says where equality ends. The plan knows the order in which loads arrive, and not how far a call comes that fails: a fault
// strikes inside the candidate, a refusal is its own decision. So of an update in which a load call or the finish failed, what all
// calls before that one need must have been seen, and no more than that call could need on top. Where every call went through,
// both are one number.
#include <vector>

#include "sim/law/reading.h"

namespace reloadlab::sim {

struct PeakPair {
  int rank = 0;
  StepRange update;
  int64_t seen = 0;            // bytes above what was live when the update began
  int64_t planned = 0;         // the formula for the arrival order, as far as the update came
  int64_t planned_before = 0;  // the same without the call that failed; planned, when none did
};

// One per update of the warm execution that ran to its end, in rank and step order.
std::vector<PeakPair> memory_peaks(const Evidence& evidence);

}  // namespace reloadlab::sim
