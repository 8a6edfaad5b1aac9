#pragma once
// What a case asks for that this machine does not have, or this program; empty where it can run.
#include <string>

#include "sim/scenario/case.h"
#include "sim/world/gpus.h"

namespace reloadlab::sim {

std::string lacks(const Case& the_case, const Gpus& there);

}  // namespace reloadlab::sim
