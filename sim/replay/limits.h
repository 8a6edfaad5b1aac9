#pragma once
// Updates that a scenario's limit on extra bytes refuses.
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// The step is to be refused, and the limit is the only reason that there is.
bool is_refused_for_memory(const Case& the_case, const Step& step);
// By the formula that the plans are made with no rank needs more than the limit. REQUIRES a limit.
bool fits(const Case& the_case, const std::vector<RankPlan>& plans, int step);
// The candidate need not materialize every layer, and on all ranks the step went through.
bool went_through_landing(const Evidence& evidence, int step);

}  // namespace reloadlab::sim
