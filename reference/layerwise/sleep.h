#pragma once
// sleep=kept: through a sleep whose contents are lost the host keeps what no checkpoint brings: every tensor of a layer of which a first
// load left an element unwritten (padding, constants), helper tensors, and tables of the process. The rest is treated as after an update
// that broke off: it is nobody's old value, and the model is unusable until everything has come whole.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

Status sleep(Core& core, model::Model& model, bool keeps_contents);
Status wake(Core& core, model::Model& model);

}  // namespace reloadlab::layerwise
