#pragma once
// From checked `series` and `pass` to SeriesSpecs and Passes: patterns of layers resolved.
#include <span>

#include "sim/scenario/case.h"
#include "sim/scenario/diagnostics.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

// REQUIRES that the nodes passed check_value(), as `series`, `timing` and `pass`. The case has its world and model by then, for the other
// two its series too.
std::vector<SeriesSpec> bind_series(const Node& list, const Case& the_case, Diagnostics& diagnostics);
Timing bind_timing(const Node& node, const Case& the_case, Diagnostics& diagnostics);
Pass bind_pass(const Node& node, const Case& the_case, Diagnostics& diagnostics);

}  // namespace reloadlab::sim
