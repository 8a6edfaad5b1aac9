#pragma once
// A chooser that keeps to an order of actors as far as it can: of those that can go on, the one whose turn comes first in the order;
// where the order has none of them, the last actor goes on. Some may be held back.
#include <set>

#include "sim/explore/program.h"

namespace reloadlab::sim::explore {

struct Following {
  std::vector<ActorId> order;
  std::vector<uint32_t> values;  // what the world chooses besides, in order; then 0
};

// What a run did, to be followed.
Following order_of(const Execution& run);

// Who may go on, asked before each choice; null: everybody. Where nobody of the enabled may, everybody may.
using Allowed = std::function<bool(ActorId)>;
std::unique_ptr<modelled::Chooser> follow(Following what, Allowed allowed, std::function<void(const modelled::Turn&)> told);

}  // namespace reloadlab::sim::explore
