#pragma once
// A schedule as text, to be stored and replayed:
//
//   s1-0x12,1,0x3,2-5f3c09d2ab8e7711      0 twelve times, 1, 0 three times, 2; and a digest of what there was to choose from
//
// The digest is the program's: a schedule of another program, or of another version of it, is refused.
#include <string>
#include <string_view>

#include "reference/base/status.h"
#include "sim/explore/program.h"

namespace reloadlab::sim::explore {

struct StoredSchedule {
  modelled::Schedule choices;
  uint64_t program = 0;  // the digest
};

StoredSchedule stored(const Execution& run);
std::string print_schedule(const StoredSchedule& schedule);
Result<StoredSchedule> parse_schedule(std::string_view text);
// The run that was stored, or Code::data where the program does not have these choices.
Result<Execution> replay_stored(const Program& program, const StoredSchedule& schedule);

}  // namespace reloadlab::sim::explore
