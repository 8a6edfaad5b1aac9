#pragma once
// What delays are to a GPU, other schedules are to modelled devices: what nothing orders comes otherwise. A case with delays is played by a
// few, beside the one in which everybody takes turns: by random ones, by such as find bugs of some depth (PCT), and, where it is small, by
// every one that differs. Which are drawn, says the seed.
#include "sim/candidate/candidate.h"
#include "sim/evidence/evidence.h"
#include "sim/replay/replay.h"

namespace reloadlab::sim {

// Which other schedules, and how many. More find more of one case, and fewer cases.
struct Schedules {
  int64_t random = 4, pct = 4;  // the latter of bugs of depth 1, 2, 3, 4 in turn
  int64_t every_one = 16;       // at most, which is all of them for most small cases that are in order; 0: none
};

inline bool has_other_schedules(const Case& the_case) { return the_case.world == WorldKind::sim && the_case.order_counts(); }

// The evidence of the first of these schedules that breaks a law; `first`, which is of the one in turns, where it breaks one itself or
// none does. REQUIRES the_case.delays and has_other_schedules(the_case).
Result<Evidence> play_schedules(const Case& the_case, const CandidateInfo& candidate, const ReplayOptions& options, Evidence first,
                                const Schedules& schedules = {});

}  // namespace reloadlab::sim
