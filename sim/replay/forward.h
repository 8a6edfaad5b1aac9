#pragma once
// The forward step: all ranks together, partial results summed by the world.
#include <memory>
#include <vector>

#include "sim/replay/session.h"

namespace reloadlab::sim {

void run_forward(const Stage& stage, const std::vector<std::unique_ptr<RankSession>>& sessions, int number);

}  // namespace reloadlab::sim
