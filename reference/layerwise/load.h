#pragma once
// LW4: what happens to a load call while a reload goes on.
#include "reference/layerwise/core.h"

namespace reloadlab::layerwise {

// A load call as it reached the engine, for a slot of a layer.
struct LoadCall {
  Group& group;
  size_t member;
  const std::string& slot;
  const at::Tensor& loaded;
  const model::LoadArgs& args;
  Member& layer() const { return group.members[member]; }
};

// Puts the wrapper around the loader of a handle that stands in the layer's slot, unless it is there already. It keeps the layer
// alive under lifetime=registry.
void wrap(Core& core, const std::shared_ptr<Update>& update, Group& group, size_t member, const std::string& slot,
          const model::LayerPtr& layer, const model::ParameterPtr& handle);
bool is_wrapped(const model::Parameter& handle);
// The loader behind the wrapper; the default loader when there is none.
model::LoaderPtr unwrapped(const model::LoaderPtr& loader);

// Buffers the load, counts it by running `loader` on the destination, and processes the group when it was the last one.
Status take_load(Core& core, Update& update, const LoadCall& call, const model::Loader& loader, model::Parameter& destination);
// A load for a layer that was processed in this update, or is not armed.
Status late_load(Core& core, const LoadCall& call);

}  // namespace reloadlab::layerwise
