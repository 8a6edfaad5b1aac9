#pragma once
// graph_replay, of models without series: what graphs of forwards read is what a cold load holds.
#include "sim/law/law.h"

namespace reloadlab::sim {

Verdict judge_graphs_at_rest(const Evidence& evidence);

}  // namespace reloadlab::sim
