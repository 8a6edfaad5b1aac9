#pragma once
// A verdict in lines, for reports that other programs read.
#include <string>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

// Where the evidence is, what it is, why, and the verdict's reason: a line each. Empty without a finding.
std::string finding_text(const LawResult& law);
std::string unexpected_pass_text(const LawResult& law);

}  // namespace reloadlab::sim
