#pragma once
// Why: what plan and events together tell about a tensor that came out wrong. Hints of the candidate add words, never a judgement.
#include "sim/law/reading.h"

namespace reloadlab::sim {

// The mechanism behind a wrong layer after the step, "completed at load 3 of 4: 6,144 elements counted, 4,096 of them distinct
// (blocks.0.q_proj.weight arrived twice)"; empty when the events say nothing.
std::string explain(const Evidence& evidence, const Execution& execution, size_t rank, int step, std::string_view layer);

}  // namespace reloadlab::sim
