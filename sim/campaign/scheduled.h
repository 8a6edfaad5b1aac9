#pragma once
// What delays are to a GPU, other schedules are to modelled devices: what nothing orders comes otherwise. A case with delays is played by a
// few, beside the one in which everybody takes turns: by random ones, by such as find bugs of some depth (PCT), or, where it is small, by
// every one that differs. Which, says the seed.
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/replay.h"

namespace reloadlab::sim {

// How many of those that are drawn. More find more of one case, and fewer cases.
inline constexpr int64_t kDrawnSchedules = 8;

// The evidence of the first of these schedules that breaks a law; `first`, which is of the one in turns, where it breaks one itself or
// none does. REQUIRES the_case.delays and has_schedules(the_case).
Result<Evidence> play_schedules(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options, Evidence first);

}  // namespace reloadlab::sim
