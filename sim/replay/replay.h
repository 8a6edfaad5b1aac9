#pragma once
// Runs one case with one candidate and gathers the evidence that the case's laws need.
#include "reference/base/status.h"
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct ReplayOptions {
  bool keep_allocations = false;  // alloc and free events in the trace (the memory timeline); peaks are always there
  bool prove_determinism = false; // adds Variation::again
};

// Code::data when a checkpoint cannot be read or does not fit the model; a candidate's failure is evidence, not an error.
Result<Evidence> replay(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options = {});

}  // namespace reloadlab::sim
