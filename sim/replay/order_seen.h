#pragma once
// What a world with devices saw of order and time, put into the evidence.
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

// Races, each with the rank whose memory it is about, and the timeline. `numbers`: of the execution's ranks, ascending. REQUIRES devices.
void note_order(World& world, const std::vector<int>& numbers, Execution& execution);

}  // namespace reloadlab::sim
