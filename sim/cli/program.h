#pragma once
// The program `reloadlab`: arguments in, exit code out. What it does lives in sim/campaign and sim/report.
#include "sim/campaign/engine.h"

namespace reloadlab::sim {

// Exit codes: Exit (run_result.h). Never throws. A program with candidates of its own registers them and calls this.
int run_program(int argc, const char* const* argv, const Engine& engine);

}  // namespace reloadlab::sim
