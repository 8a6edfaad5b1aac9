#pragma once
// Where worlds are known to end a step otherwise, and why.
#include <string_view>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// The reason; empty where nobody knows of it.
std::string_view known_difference(WorldKind world, const Status& status, WorldKind other, const Status& others, StepKind step);

}  // namespace reloadlab::sim
