#pragma once
// A run of a case with series to look at: what streams did, one column each, in the order of the run. "!3" marks both accesses of race 3.
#include <span>
#include <string>

#include "sim/report/trace_file.h"
#include "sim/report/view.h"

namespace reloadlab::sim {

// Of one run, whose first model has the timeline.
std::string columns_text(std::span<const TracedExecution> models, const ViewOptions& options);

}  // namespace reloadlab::sim
