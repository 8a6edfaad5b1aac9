#pragma once
// An engine without tensors: candidates are named after what they do, so that campaigns, workers and reports can be tested alone.
#include "sim/campaign/engine.h"

namespace reloadlab::tests {

// Candidates of system "layerwise": fake@
//   good · bad (breaks law_a at step 1 of warm) · moving (breaks it at step 0) · unsure (law_b inconclusive) · throws (crosses the
//   boundary) unlike (two runs differ) · crash, abort, exit, loop, nonsense, lies (in step 1: what a worker process has to survive) no_data
//   · not_here · broken (replay fails with Code::data, Code::unsupported, an exception)
sim::Engine fake_engine();

// A scenario file with two cases (1 and 2 ranks) that the real parser reads.
std::string small_scenario(const std::string& name, const std::string& about = "What LW5 is about.", const std::string& tag = "smoke");

}  // namespace reloadlab::tests
