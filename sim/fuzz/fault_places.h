#pragma once
// Where a fault can strike while a whole checkpoint arrives, for whoever draws one.
#include <utility>
#include <vector>

#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// By place, how often every rank passes it for sure; none that some rank may not pass. load_calls: that the update's plan makes.
std::vector<std::pair<Fault::At, int64_t>> fault_places(const Case& the_case, int64_t load_calls);

}  // namespace reloadlab::sim::fuzz
