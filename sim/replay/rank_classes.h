#pragma once
// Which ranks are equal: all tensors have the same shapes there, and checkpoints bring each tensor the same shares in the same places,
// wherever they are cut from. What one of them goes through in an update, the others do.
#include "sim/evidence/evidence.h"
#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

// Every rank is in one class; classes are in the order of their first members. All members are played, or as many as the case's
// `sample` says: the first, the last, and others as the seed draws them. Closed-form arithmetic, a few tenths of a second for 256 ranks
// of 45,000 loads.
std::vector<RankClass> rank_classes(const Catalogue& catalogue, const Case& the_case);

}  // namespace reloadlab::sim
