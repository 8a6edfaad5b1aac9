#pragma once
// A run with one of everything, as tests of reports want it.
#include "sim/report/run_result.h"

namespace reloadlab::tests {

sim::CaseResult sample_case(const std::string& scenario, const std::string& variant, const std::string& candidate);
sim::LawResult sample_failure();
sim::RunResult sample_run();

}  // namespace reloadlab::tests
