#pragma once
// What elements hold that no load of the update wrote.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

// Fills materialized tensors where they are not written whole: with what the kernel tensor holds, where the post-load step permutes
// at most, and with what the shadow holds, where there is one; otherwise with the declared pad value. Code::rejected when a loadable
// element would have neither.
Status fill_unloaded(const Core& core, Group& group);

}  // namespace reloadlab::layerwise
