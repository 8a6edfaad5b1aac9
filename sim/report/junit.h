#pragma once
// junit.xml, as CI systems read it: a suite per candidate and scenario file, a test case per case and law. What is known to fail, skipped
// or unsupported is `skipped` with its reason; what could not be judged and what broke in the harness is an `error`.
#include <string>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

std::string junit_xml(const RunResult& run);

}  // namespace reloadlab::sim
