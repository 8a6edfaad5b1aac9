#pragma once
// Random orders and transports of random models (draw_layers.h), as cases. Everything is drawn through rapidcheck, so a
// counterexample shrinks; what a property prints about it is a scenario file (hold.h).
#include <string>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

// A load of A, a reload to B and one back to A, at one to four ranks, each in any order and any chunking.
Case draw_case();
LoadPlan draw_plan(const std::string& checkpoint);
Step load_of(const std::string& checkpoint);
Step reload_with(LoadPlan plan);

}  // namespace reloadlab::sim
