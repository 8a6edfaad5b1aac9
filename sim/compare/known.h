#pragma once
// Where worlds are known to end a step otherwise, and why.
#include <string_view>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// The reason; empty where nobody knows of it.
std::string_view known_difference(WorldKind world, const Status& status, WorldKind other, const Status& others, StepKind step);

// The same for a step that does not end in a modelled world, whose run this is, and ends well on real devices.
std::string_view known_difference(const Execution& endless);

// The same for a step that does not end on real devices, whose run this is, and ends well on modelled ones.
std::string_view known_loss(const Execution& lost, const Execution& modelled);

}  // namespace reloadlab::sim
