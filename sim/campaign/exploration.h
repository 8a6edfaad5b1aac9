#pragma once
// What exploring the schedules of a case came to, as plain data: no LibTorch header.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/report/run_result.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim {

struct ExploreOptions {
  enum class Way { exhaustive, unreduced, random, pct, timed, replay } way = Way::exhaustive;
  int64_t schedules = 100;  // random, pct
  int depth = 3;            // pct
  std::string schedule;     // replay
  uint64_t seed = 0;
  int64_t most_executions = 1'000'000;
  double most_seconds = 60;  // of all that is done for the case: three quarters at most for its schedules, the rest for what they show
  double hang_seconds = 60;  // a rank that comes to no operation of its device for so long ends the process
  bool shrink = true;
};

// A law that failed, in one line: "ring_content: rank 1, step 2, blocks.0.o_proj: 64 of 64 elements differ …".
std::string failure_text(const LawResult& law);

// Whether there is anything to explore: series, on modelled devices.
inline bool has_schedules(const Case& the_case) { return !the_case.series.empty() && the_case.world == WorldKind::sim; }

struct ExploreReport {
  std::string refusal;     // why the schedule that is asked for is none of the case's; then there is nothing else
  std::string covered;     // "1 execution, 1 trace, 0 redundant, 0.0 s, exhausted"
  std::string chance;      // pct: what it finds with which probability
  bool cut_off = false;    // by a limit, before every schedule that was asked for had run
  bool exhausted = false;  // every schedule that differs has run
  // Runs that ended alike.
  struct Ending {
    int64_t runs = 0;
    std::vector<LawResult> failed;  // laws that failed, hangs among them, but for that of order
    std::string schedule;           // of the first of them; where one failed, with the fewest preemptions that were found
    int64_t preemptions = 0;
    bool fewest = false;  // no schedule with fewer ends so
    std::string limit;    // otherwise: what ended the search for one
    bool raced = false;   // all wrong bytes that were read come of races
  };
  std::vector<Ending> endings;
  struct Race {
    std::string accesses, missing;
    std::string witness;   // "wrong bytes", "benign", or empty: the machine cannot reverse the two
    std::string reader;    // of wrong bytes
    std::string schedule;  // of the witness
    bool tried = false;    // to reverse them: there was time for it
  };
  std::vector<Race> races;       // the first few
  size_t races_left_out = 0;     // and how many more there are
  std::vector<LawResult> order;  // the law of order, where it failed in some run: one, or none
  std::vector<LawResult> held;   // laws that passed in some run, and failed in none
};

}  // namespace reloadlab::sim
