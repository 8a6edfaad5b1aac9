#pragma once
// Where bytes that two racing turns touched go from there: what a read of them wrote, what was made of that, until it is written over.
//
//   forward reads window 1  ‖  broadcast writes window 1        the copy that the forward made
//   broadcast reads weight  ‖  fill writes weight               windows of the receivers, then copies that forwards make of them
//   fill writes window 1    ‖  broadcast writes window 1        window 1, then copies that forwards make of it
#include <vector>

#include "sim/explore/program.h"

namespace reloadlab::sim::explore {

// Of what the run has left wrong, the first that holds something of the race's accesses, which are those of the two turns; null: nothing
// does.
const Wrong* left_wrong(const Execution& run, int64_t one_turn, int64_t other_turn, BlockId block);

// Whether all that the run has left wrong holds something of turns that race, those included that Outcome::races leaves out because they
// follow from others.
bool wrong_by_races(const Execution& run);

}  // namespace reloadlab::sim::explore
