#pragma once
// What a pass does on one rank, as a list: the oracle of what must be read, and the player's instructions.
#include <vector>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

struct Visit {
  enum class Act {
    reach,        // the series starts a broadcast
    read,         // the layer's forward
    bypass,       // its weight, without its forward
    second_read,  // its forward once more, on a stream that branched off before the first one; follows a read
    sync,         // the host waits
    lose,         // the rank does nothing any more
  } act;
  size_t series = 0;  // position in Case::series
  std::string layer;
  int64_t index = 0;  // of the layer, absolute
  bool operator==(const Visit&) const = default;
};

std::vector<Visit> visits(const Case& the_case, const Pass& pass, int64_t rank);

// Whether the visit reads the layer.
inline bool reads(const Visit& visit) {
  return visit.act == Visit::Act::read || visit.act == Visit::Act::bypass || visit.act == Visit::Act::second_read;
}

}  // namespace reloadlab::sim
