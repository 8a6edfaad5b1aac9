#pragma once
// Which layers are processed together.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

// Puts every layer of the model that is in no group yet into one.
void form_groups(Core& core, Update& update, const model::Model& model);
// True for layers whose own post-load step comes after every other layer's: the attention classes that an engine lists, and under
// derived=in_place whatever has such a step.
bool is_deferred(const LayerwisePolicy& policy, const model::Layer& layer);

}  // namespace reloadlab::layerwise
