#pragma once
// What a case asks for that this program, or this machine, does not have; empty where it can run.
#include <string>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

std::string lacks(const Case& the_case);

}  // namespace reloadlab::sim
