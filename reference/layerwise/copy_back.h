#pragma once
// Processed tensors go into the kernel tensors of the same names; addresses stay.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

Status copy_back(const Core& core, Group& group);
// Runs a step of the layer on its kernel tensors so that tensors which the step replaces keep their storage: the new content is
// copied into the old tensor (derived=in_place).
Status run_in_place(model::Layer& layer, c10::function_ref<Status()> step);

}  // namespace reloadlab::layerwise
