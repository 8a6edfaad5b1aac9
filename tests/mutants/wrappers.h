#pragma once
// Mutants that are thin wrappers: what they wrap is right, and what it is told is wrong.
#include <memory>

#include "sim/candidate/candidate.h"

namespace reloadlab::mutants {

// The plain reloader behind a receiver that posts no transfer: each load gets the receive buffer as it was allocated, and all ends well.
std::unique_ptr<sim::Reloader> nothing_received(const sim::CandidateContext& context);

}  // namespace reloadlab::mutants
