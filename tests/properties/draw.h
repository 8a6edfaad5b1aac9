#pragma once
// Random models, orders and transports, as cases. Everything is drawn through rapidcheck, so a counterexample shrinks; what a
// property prints about it is a scenario file.
#include <string>

#include "sim/evidence/evidence.h"
#include "sim/law/law.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

// One to four layers of any loadable kind, one to four ranks that divide all sizes.
Case draw_case();
// Any order and any chunking.
LoadPlan draw_plan(const std::string& checkpoint);
Step reload_with(LoadPlan plan);

// Runs the case with the candidate; a harness error fails the property.
Evidence run(const Case& the_case, const std::string& candidate = "layerwise@hardened");
// Fails the property, with the case as a scenario file, when one of the verdicts is a failure.
void require_all_hold(const Evidence& evidence);

const RankRun& warm(const Evidence& evidence, int rank);
// True when both censuses hold the same names with the same bytes, places and layouts.
bool same(const Census& a, const Census& b);

}  // namespace reloadlab::sim
