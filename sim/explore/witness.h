#pragma once
// What a race means: a schedule in which its two accesses come in the other order, and what is read of them then; and in words
// what would have ordered them.
#include <optional>

#include "sim/explore/stored_schedule.h"

namespace reloadlab::sim::explore {

struct Witness {
  Execution run;  // of the reversed order
  // What the pair itself read, or what was read of the bytes that both wrote, is wrong in that order or in the one that was seen. False:
  // benign, as far as was tried, whatever else is wrong.
  bool wrong_bytes = false;
  std::string reader = {};  // of wrong bytes, as the program calls it
};

// The first access is held back until the second has been; what is tried in turn is to let it go then, and only at the end. Nothing
// where the machine cannot reverse them: a collective moves its data in one step, and so waits for ranks that hardware would not.
std::optional<Witness> reverse_race(const Program& program, const Execution& run, const Race& race);

// "stream 1 of sim:1 (broadcast #4 of ring, writes) is not ordered after stream 0 of sim:1 (aten::mm, reads): no wait ..."
std::string missing_edge(const Execution& run, const Race& race);

}  // namespace reloadlab::sim::explore
