#pragma once
// The rings of one model of a run, a table for each series and rank: a row for each reach, a column for each window.
#include <string>

#include "sim/report/trace_file.h"
#include "sim/report/view.h"

namespace reloadlab::sim {

std::string rings_text(const TracedExecution& execution, const ViewOptions& options);

}  // namespace reloadlab::sim
