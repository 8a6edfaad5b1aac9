#pragma once
// A ring of windows on modelled devices: layers of a series, some with others between them, passes in several ways, new weights between
// them, and passes that stop or go astray.
#include <string>

#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

Case draw_series(const std::string& system, Choices& choices);

}  // namespace reloadlab::sim::fuzz
