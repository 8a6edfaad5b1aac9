#pragma once
// What a case must come to, worked out from the scenario before anything runs: each load's fresh elements, the load that
// completes each layer, what is missing, the state after each step, and the memory that the arrival order needs.
//
// An update begins at prepare (or reload) and ends at finish, abort or the end of reload. Progress of a group of layers that
// share storage is counted over the group.
#include "sim/evidence/evidence.h"
#include "sim/replay/catalogue.h"
#include "sim/replay/memory_model.h"
#include "sim/replay/sequence.h"

namespace reloadlab::sim {

// The case's steps with `repeat` written out and every `retry` carrying the plan of the update that it tries again.
std::vector<Step> unroll(const std::vector<Step>& steps);

// How the candidate says it works, as far as the memory formula and the expected states depend on it.
struct PlanPolicies {
  Backup backup = Backup::none;  // abort=backup: kernel bytes of committed layers are kept until finish
  // What is refused although the scenario means it to go through: the update then ends there, and the model is as before.
  bool rejects_excess = false, rejects_missing = false, rejects_unexpected = false;
  // unloaded=preserve without shadow=keep: a layer that comes in part is refused where its post-load step does more than permute.
  bool rejects_gaps = false;
  bool shadow = false;  // shadow=keep: what such a step was given is kept, and replaced when its layer is processed

  // scope=model: every layer is restored, loaded and quantized at once; ties=all: so is every name of a tensor.
  bool whole_model = false, every_tie = false;

  static PlanPolicies declared(const std::map<std::string, std::string>& policies);
};

// `loads` steps that the scenario lets fail, and the load call (counted from 0) that did: where a fault strikes depends on what the
// candidate does, so this alone comes from what was seen.
using Stops = std::map<int, int>;

// In which world loaders write: what ATen takes for moving bytes is not the same everywhere.
RankPlan make_plan(const Catalogue& catalogue, const std::vector<Step>& steps, model::TensorParallel tp, const PlanPolicies& policies,
                   const Stops& stops = {}, WorldKind world = WorldKind::cpu);

}  // namespace reloadlab::sim
