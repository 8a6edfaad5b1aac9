#pragma once
// From checked `steps` to Steps: names of checkpoints and tensors resolved, so that a Case holds no pattern.
#include <string>
#include <vector>

#include "sim/scenario/case.h"
#include "sim/scenario/names.h"
#include "sim/scenario/tree.h"

namespace reloadlab::sim {

struct StepContext {
  const DeliveryNames* names = nullptr;  // null: the model has errors; tensor names are then not judged
  std::vector<std::string> checkpoints;
  Step::Outcome outcome = Step::Outcome::ok;  // of steps that name none
  const Case* the_case = nullptr;             // with its world, model and series; null: no step may be about series
  std::optional<WorldKind> world;             // none: it has errors of its own
  bool series_given = false;                  // also where they have errors of their own, and the case has none
};

// REQUIRES that the node passed check_value() as `steps`.
std::vector<Step> bind_steps(const Node& steps, const StepContext& context, Diagnostics& diagnostics);

// "ok", "error", "unspecified". REQUIRES one of them.
Step::Outcome outcome_from(std::string_view word);

}  // namespace reloadlab::sim
