#pragma once
// Placeholders become tensors with bytes, and kernel tensors come back.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

// Gives every placeholder in the group's slots a fresh, uninitialized counterpart on the current default device, with class and
// attributes; the wrapper is still on. Handles stay shared where they were, views stay views.
void materialize(const Core& core, Group& group);
// Puts back what the layer held when it was armed.
void put_kernel_back(const Core& core, Member& member);

}  // namespace reloadlab::layerwise
