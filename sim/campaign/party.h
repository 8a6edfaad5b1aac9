#pragma once
// Cases whose ranks are processes: as many workers as ranks, each of which plays its own, side by side; what they tell is put together.
// They live for as many cases as go well: after one that left anything under way, or where one of them died since, comes a fresh set. One
// that dies in a case is that case's: lost.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/campaign/engine.h"

namespace reloadlab::sim {

// The engine, whose replay() deals out what needs a process for each rank. `command` makes the program a worker.
Engine with_rank_processes(Engine engine, std::vector<std::string> command);

// Whether it needs one: its ranks talk, on real devices.
bool needs_rank_processes(const Case& the_case);

}  // namespace reloadlab::sim
