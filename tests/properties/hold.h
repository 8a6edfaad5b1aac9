#pragma once
// What a property requires of a drawn case. Whatever does not hold fails it with the step where it was seen and the case as a
// scenario file; rapidcheck prints those of the shrunk case last.
#include <string>
#include <string_view>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"

namespace reloadlab::sim {

// Runs the case with the candidate; an error of the harness fails the property.
Evidence run(const Case& the_case, const std::string& candidate = "layerwise@hardened");

// Fails the property, naming the step, unless it holds.
void require(const Evidence& evidence, bool holds, int step, std::string_view what);
// Fails the property when one of the verdicts is a failure.
void require_all_hold(const Evidence& evidence);
// What require() prints: "step 2: what", and the case as a scenario file.
std::string counterexample(const Case& the_case, int step, std::string_view what);

const RankRun& warm(const Evidence& evidence, int rank);
// True when both censuses hold the same names with the same bytes, places and layouts.
bool same(const Census& a, const Census& b);

}  // namespace reloadlab::sim
