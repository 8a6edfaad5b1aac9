#pragma once
// Steps and events in words, as failure blocks show them.
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"
#include "sim/report/run_result.h"

namespace reloadlab::sim {

std::string step_text(const Step& step);  // "reload to B, shuffled"

// The last things that each rank did up to the finding, in its execution and step; on the finding's layer, when anything happened there.
// One element per load call with what it led to ("q_proj.weight 2,048 → complete → process → copy back") or per call of the update.
std::vector<RankTail> last_events(const Evidence& evidence, const Finding& finding);
// The finding's step; null when its execution or step is not there.
const Step* finding_step(const Evidence& evidence, const Finding& finding);

}  // namespace reloadlab::sim
