#pragma once
// Evidence of ranks that were played in a process each, put together: laws see one run.
#include <optional>
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct RankPart {
  std::optional<Evidence> evidence;  // of this rank alone (Evidence::numbers has it); none: it was lost
  std::string lost;                  // "rank 1: killed by signal 9 (SIGKILL)"
  bool hangs = false;                // it was ended because it never came back
  std::vector<Event> events;         // where it was lost: what it is known to have done in the warm execution
};

// Parts by rank. A rank that was lost leaves runs with nothing but these events, and its warm execution has stopped for that reason.
// Code::data where parts are of different runs.
Result<Evidence> put_together(const Case& the_case, const std::string& candidate, std::vector<RankPart> parts);

// Every rank came back from all of its steps, which may have refused, and issued what the others issued: nothing of this run is left in any
// communicator.
bool is_settled(const Evidence& evidence);

}  // namespace reloadlab::sim
