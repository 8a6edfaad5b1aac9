#pragma once
// The fewest preemptions with which a run still ends as it did. First each preemption is tried away, by letting the actor that was left go
// on; then all schedules with fewer preemptions are searched, as far as the limits go.
#include "sim/explore/depth_first.h"

namespace reloadlab::sim::explore {

struct Shrunk {
  Execution run;
  int64_t preemptions = 0;
  int64_t executions = 0;
  bool fewest = false;  // no schedule with fewer preemptions ends so; otherwise none was found within the limits
};

using Same = std::function<bool(const Outcome&)>;
// REQUIRES same(run.outcome).
Shrunk shrink(const Program& program, const Execution& run, const Same& same, const Limits& limits);

}  // namespace reloadlab::sim::explore
