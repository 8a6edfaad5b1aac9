// An update is abandoned.
#include "reference/layerwise/close.h"

namespace reloadlab::layerwise {

Status abort(Core& core, model::Model& model) {
  if (core.policy.abort == Abort::none) return Status(Code::unsupported, "the policy has no abort");
  std::shared_ptr<Update> update = core.open_update();
  return update ? abandon(core, *update, model) : Status();
}

}  // namespace reloadlab::layerwise
