#pragma once
// What a world with devices saw of order and time, put into the evidence.
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

// Races, each with the rank whose memory it is about. `numbers`: of the execution's ranks, ascending.
void note_races(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution);
// The timeline as well.
void note_order(const SeenOrder& seen, const std::vector<int>& numbers, Execution& execution);

}  // namespace reloadlab::sim
