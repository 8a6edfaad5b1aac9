#pragma once
// The fewest preemptions with which a run still ends as it did. In turn: schedules without any, where each actor goes on until it cannot;
// the run's own preemptions taken away, all at once, by halves, then one by one (the actor that was left goes on, or its last turns come
// later); schedules with a few, at random; and at last all schedules with fewer than were found, which proves it where the limits suffice.
#include "sim/explore/depth_first.h"

namespace reloadlab::sim::explore {

struct Shrunk {
  Execution run;
  int64_t preemptions = 0;
  int64_t executions = 0;
  bool fewest = false;  // no schedule with fewer preemptions ends so
  std::string limit;    // what ended the search before that was known: "2000 executions"
};

using Same = std::function<bool(const Outcome&)>;
// REQUIRES same(run.outcome).
Shrunk shrink(const Program& program, const Execution& run, const Same& same, const Limits& limits);

}  // namespace reloadlab::sim::explore
