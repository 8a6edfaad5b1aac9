#pragma once
// What candidates may say of themselves: the policies of the reference implementations, and what only others need.
#include "sim/candidate/candidate.h"

namespace reloadlab::sim {

// Code::data with the nearest spelling: laws judge by what is declared, and would judge by nothing.
Status check_declared(const CandidateInfo& info);

}  // namespace reloadlab::sim
