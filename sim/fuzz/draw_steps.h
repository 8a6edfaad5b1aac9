#pragma once
// What happens to a drawn model: updates, some of which break off, are given up, come in buckets or at the wrong time; forwards and sleep.
#include "sim/fuzz/swarm.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// Steps and checkpoints of the case, whose model is there.
void draw_steps(Case& the_case, Drawing& drawing);

}  // namespace reloadlab::sim::fuzz
