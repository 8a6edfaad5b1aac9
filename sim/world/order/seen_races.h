#pragma once
// Races as worlds tell of them.
#include <functional>
#include <string>
#include <vector>

#include "sim/world/devices.h"
#include "sim/world/order/races.h"

namespace reloadlab::sim {

std::vector<SeenRace> seen_races(const RaceFinder& finder, const std::function<int(ActorId)>& rank_of,
                                 const std::function<std::string(ActorId)>& name_of);

// What is issued by a replay is about the replay, and about what its capture was: "step 3: replay of step 1: reach blocks.2.o_proj".
LabelPtr replayed(const LabelPtr& replay, const LabelPtr& captured);

}  // namespace reloadlab::sim
