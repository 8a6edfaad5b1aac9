#pragma once
// A run of a case with series to look at: what streams did, one column each, in the order of the run; who lives in which window; and
// pairs of accesses that nothing orders.
#include <string>
#include <vector>

#include "sim/report/trace_file.h"

namespace reloadlab::sim {

struct ViewOptions {
  size_t width = 120;      // characters of a line
  int64_t step = -1;       // of the scenario: only what belongs to it; -1: everything behind the first load
  int64_t most = 200;      // lines of the columns, and of each table of windows
  std::vector<int> ranks;  // these only; empty: all
};

std::string columns_text(const TracedExecution& execution, const ViewOptions& options);
std::string windows_text(const TracedExecution& execution, const ViewOptions& options);
// A schedule that is longer than a line goes over several, which a shell puts together again.
std::string races_text(const TracedExecution& execution, const ViewOptions& options);

}  // namespace reloadlab::sim
