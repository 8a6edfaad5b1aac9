#pragma once
// Ways to look at a program's schedules, behind one call, and what was seen.
#include <map>
#include <optional>

#include "sim/explore/depth_first.h"
#include "sim/explore/stored_schedule.h"

namespace reloadlab::sim::explore {

struct Strategy {
  enum class Kind {
    exhaustive,   // every trace once (DPOR)
    unreduced,    // every interleaving: for small programs, and as a check of the former
    random,       // `schedules` of them
    pct,          // `schedules` of them, of bugs of `depth`
    round_robin,  // one
    timed,        // one: in the order of the cost model
    replay,       // `schedule`
  };
  Kind kind = Kind::exhaustive;
  int64_t schedules = 100;
  int depth = 3;
  uint64_t seed = 0;
  StoredSchedule schedule = {};
};

// The runs that ended in one way, and the first of them.
struct Ending {
  int64_t runs = 0;
  std::string verdict, state;
  StoredSchedule schedule;
  int64_t preemptions = 0;  // of that schedule
};

// What one schedule of PCT finds any bug of the depth with, at least: one of the actors is first by chance, and so are the steps at which
// others take over. Both are counted in the round-robin run.
struct Chance {
  int64_t actors = 0, steps = 0;
  int depth = 0;
  double of_one() const;
};

struct Exploration {
  Coverage coverage;
  std::optional<Chance> chance = {};  // pct
  std::vector<Ending> endings;        // by verdict and state, in the order in which they were found
  // Each pair of accesses once, whichever order it was seen in, as in the first run that had it.
  struct FoundRace {
    Race race;
    Execution run;
  };
  std::vector<FoundRace> races;

  const Ending* failing() const;  // the first one with a verdict; null where there is none
};

// Code::data for a schedule of another program.
Result<Exploration> explore(const Program& program, const Strategy& strategy, const Limits& limits);

// "164052 executions, 164052 traces, 0 redundant, 33.1 s, exhausted", or "cut off after" a limit.
std::string told(const Coverage& coverage);
// "a schedule finds a bug of depth 3 with probability 1/(7 actors x 120^2 steps) = 9.9e-06 at least, 100 of them with 0.00099"
std::string told(const Chance& chance, int64_t schedules);

}  // namespace reloadlab::sim::explore
