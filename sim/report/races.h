#pragma once
// Pairs of accesses that nothing orders: two columns with the missing arrow.
#include <string>

#include "sim/report/trace_file.h"
#include "sim/report/view.h"

namespace reloadlab::sim {

// A schedule that is longer than a line goes over several, which a shell puts together again.
std::string races_text(const TracedExecution& execution, const ViewOptions& options);

}  // namespace reloadlab::sim
