#pragma once
// report.html: a run as one page that needs nothing else, no network and no script. The table laws × scenarios, and of some cases (told.h)
// what broke, what memory held, where tensors lay, who lived in which window, and what streams did.
#include <span>
#include <string>

#include "sim/report/run_result.h"
#include "sim/report/trace_file.h"

namespace reloadlab::sim {

// executions: of those cases; others are passed over.
std::string html_report(const RunResult& run, std::span<const TracedExecution> executions);

}  // namespace reloadlab::sim
