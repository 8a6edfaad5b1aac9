#pragma once
// What a case cost a candidate, in numbers that a machine's speed has no part in: they count what the harness saw in the warm execution,
// on all ranks, and are the same in every run of one seed but on real devices.
#include <string_view>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct Costs {
  int64_t copies = 0;       // operators that copied, and collectives that were issued
  int64_t bytes_moved = 0;  // what these wrote
  int64_t peak_bytes = 0;   // the most that was live at a time on each rank, all ranks together
  int64_t events = 0;       // what was noted; not what the candidate says of itself, which costs nothing
  bool operator==(const Costs&) const = default;
};

// The one list of the counters: reports, baselines and scoreboards walk it.
struct Counter {
  std::string_view key, words;  // "bytes_moved", "bytes moved"
  int64_t Costs::*value;
};
inline constexpr Counter kCounters[] = {{"copies", "copies", &Costs::copies},
                                        {"bytes_moved", "bytes moved", &Costs::bytes_moved},
                                        {"peak_bytes", "peak bytes", &Costs::peak_bytes},
                                        {"events", "events", &Costs::events}};

// None where no warm execution was seen.
std::optional<Costs> costs_of(const Evidence& evidence);

}  // namespace reloadlab::sim
