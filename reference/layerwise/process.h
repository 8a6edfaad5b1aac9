#pragma once
// LW6: a group is processed.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

enum class OwnStep {
  apart,   // deferred layers' own steps are not part of this processing
  within,  // they run on the materialized tensors, after the quantization method's step
};

// Under failed_load=undo a processing that fails leaves the group armed, and every kernel byte as it was if there is a backup or no
// kernel byte was written; otherwise the update is broken.
Status process(Core& core, Update& update, Group& group, OwnStep own_step);

}  // namespace reloadlab::layerwise
