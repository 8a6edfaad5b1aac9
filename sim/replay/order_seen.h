#pragma once
// What a world with devices saw of order and time, put into the evidence.
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

// Whether races of a model without series are evidence.
bool order_is_seen(const Case& the_case, const Variation& variation);
// Races, each with the rank whose memory it is about. `numbers`: of the execution's ranks, ascending.
void note_races(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution);
// The timeline as well.
void note_order(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution);

}  // namespace reloadlab::sim
