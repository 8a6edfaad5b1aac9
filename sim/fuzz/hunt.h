#pragma once
// A campaign over drawn cases: draw, play, judge, and for each cause of a failure that is new make the case small and keep it.
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "sim/campaign/shard.h"
#include "sim/fuzz/observe.h"
#include "sim/fuzz/token.h"

namespace reloadlab::sim::fuzz {

struct HuntOptions {
  std::string system, candidate;
  uint64_t seed = 0;
  std::optional<WorldKind> on;    // the world in whose place cases are played; absent: each in its own
  std::optional<int64_t> cases;   // of all shards together
  std::optional<double> seconds;  // start no case after so long, and make nothing smaller once shrinking_is_over()
  std::optional<Shard> shard;
  std::string canary;                   // a candidate that is wrong on purpose: a campaign that does not find out is broken. Empty: none
  std::string control;                  // a candidate: laws that it breaks as well count for nothing in that case. Empty: none
  bool fail_fast = false;               // end with the first case that fails
  int64_t shrink_tries = 400;           // for each cause
  uint64_t first = 0;                   // the number of the first case, of all shards together
  std::set<Cause> known;                // that are counted and not made small: the store has them as small as they become
  std::map<Cause, Answers> unfinished;  // where earlier campaigns have come to in making them small
  bool goes_on = true;                  // these are made small before any case is drawn, for half of the time at most
};

// What is found near the end of a campaign is made small as well, for a tenth of its time or ten seconds.
bool shrinking_is_over(const HuntOptions& options, double since);

// A cause of failures and the smallest case that is known to show it.
struct Found {
  Cause cause;
  Case the_case;
  Token token;
  LawResult law;
  int64_t count = 0;     // of cases that showed it
  int64_t first = 0;     // the number of the first of them
  double seconds = 0;    // until that had been played
  bool smallest = true;  // shrinking came to its end
};

struct Progressed {
  int64_t cases = 0, judged = 0, skipped = 0, inconclusive = 0, failing = 0, hanging = 0;
  std::string why_skipped;  // the first of them
  int64_t refused = 0;      // cases that were spoiled, beside these
  std::set<uint64_t> shapes;
  std::set<std::string> probes;
  double seconds = 0, last_new_seconds = 0;  // since the beginning; when something was last seen for the first time
};

struct Hunted {
  Progressed progress;
  std::map<Cause, Found> found;
  std::string defect;  // of the harness, which ends the campaign; empty: none
};

struct Told {
  std::function<void(uint64_t index)> begins;                                        // before each case
  std::function<Status(const Progressed&, const std::map<Cause, Found>&)> progress;  // after each case
  std::function<Status(const Found&)> met;                                           // before it is made small
  std::function<Status(const Found&)> found;                                         // when it is small
  std::function<Status(const std::string& probe, const Case&)> news;                 // of the first case that meets it
};

// Code::usage for a candidate of another system, or for a system that nothing is drawn for.
Result<Hunted> hunt(const HuntOptions& options, const Engine& engine, const Told& told);

}  // namespace reloadlab::sim::fuzz
