#pragma once
// result.sarif (SARIF 2.1.0), as code scanning reads it: a rule for each law, a result for each verdict that needs attention, and for each
// known failure one that is suppressed, with the rule that explains it. Fingerprints hold candidate, case, law and the first evidence's
// place, so that a failure is the same one in the next run, wherever its step stands in the file.
#include <string>

#include "sim/report/run_result.h"

namespace reloadlab::sim {

std::string sarif_text(const RunResult& run);

}  // namespace reloadlab::sim
