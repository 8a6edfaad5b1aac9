#pragma once
// The end of an update, whichever way it comes.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

void restore_flag(Update& update, model::Model& model);
// Reports loadable elements that did not come, one event a tensor; Code::rejected under missing=reject if there is any.
Status report_missing(const Core& core, const Update& update);
// Old weights back where that is possible, then close(). Where it is not, the model becomes unusable. Fails when an operator throws
// while they are put back, with the update still open, and when a deferred layer cannot derive its state again, which is then
// unusable.
Status abandon(Core& core, Update& update, model::Model& model);
// Nothing of the update stays: not in the model, not on the device.
void close(Core& core, Update& update, model::Model& model);

}  // namespace reloadlab::layerwise
