#pragma once
// The ledger of one rank's tensors: where each lies, and when that changed.
#include <string>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct PlaceChange {
  int step = -1;       // behind which it was first seen; -1: construction
  std::string tensor;  // path
  std::string place;   // "bf16 [96, 64] in storage 7 from 0", "f32 [4] on meta"; empty: it is gone
};
// What has changed from census to census; in the first one, everything. In the order of steps, what is gone first, then module order.
std::vector<PlaceChange> place_changes(const RankRun& run);

}  // namespace reloadlab::sim
