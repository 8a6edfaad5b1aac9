#pragma once
// What the first load teaches: which elements of each storage a complete checkpoint writes. The others are padding or constants,
// and nobody has to wait for them.
#include <c10/util/FunctionRef.h>

#include "reference/layerwise/record.h"
#include "reference/model/layer.h"

namespace reloadlab::layerwise {

struct Core;

// From now on writes into the handle's storage are learned as writes of the recorded one's.
void watch_first_load(Core& core, const model::Parameter& handle, const std::shared_ptr<RecordedTensor>& recorded);
// Runs a load call of the first load and learns from it, also tensors that it registers.
Status learn(Core& core, const model::LayerPtr& layer, c10::function_ref<Status()> call);
// Ends the first load: where nothing was learned, every element of every parameter is loadable.
void stop_learning(Core& core, const model::Model& model);

}  // namespace reloadlab::layerwise
