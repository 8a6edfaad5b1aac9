#pragma once
// Lines that GitHub shows beside a change, `::error file=…,line=…,title=…::message`: what matters most first, ten at most, for it shows no
// more of one step; how many are left out is a last line for the log.
#include <string>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

std::string github_annotations(const RunResult& run);

}  // namespace reloadlab::sim
