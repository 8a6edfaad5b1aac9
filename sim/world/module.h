#pragma once
// Worlds that come as modules of their own, opened when they are asked for.
#include "sim/world/world.h"

namespace reloadlab::sim {

// What a module exports by the name reloadlab_make_world. Throws c10::Error.
using ModuleMaker = World* (*)(const WorldRequest& request);

// From libreloadlab_<world>.so, which lies beside the program. Code::unsupported where it is missing or cannot be opened, and why.
Result<std::unique_ptr<World>> make_from_module(const WorldRequest& request);

// GPUs that the driver knows, asked without a context; 0 where there is no driver.
int gpu_count();

}  // namespace reloadlab::sim

extern "C" reloadlab::sim::World* reloadlab_make_world(const reloadlab::sim::WorldRequest& request);
