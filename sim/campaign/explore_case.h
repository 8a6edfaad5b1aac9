#pragma once
// The schedules of a case: what is explored is the scenario's own execution, from behind its first load on.
#include <functional>
#include <string>

#include "sim/campaign/exploration.h"
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// Code::usage for a case without series, or of another world than sim, and for a schedule that is none of its.
Result<ExploreReport> explore_case(const Case& the_case, const CandidateInfo& candidate, const ExploreOptions& options);

// See Engine::watch_hangs.
void watch_hangs(double seconds, std::function<void(const std::string& picture)> told);

// For each race of the warm execution of a case with series, the first few of them, a schedule in which it goes the other way, and what
// comes of it.
void find_witnesses(const Case& the_case, const CandidateInfo& candidate, Evidence& evidence);

}  // namespace reloadlab::sim
