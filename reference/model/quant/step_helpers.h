#pragma once
// Helper tensors (ExtraState) that a quantization method's post-load step makes anew each time, beside what its arithmetic says.
#include <string_view>
#include <vector>

#include "reference/model/kind.h"

namespace reloadlab::model {

std::vector<SlotSpec> step_helpers(std::string_view method);

}  // namespace reloadlab::model
