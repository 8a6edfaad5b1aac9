#pragma once
// What the methods for loaded 8-bit floats ask of a layer.
#include <string_view>
#include <vector>

#include "reference/base/status.h"
#include "reference/model/spec.h"

namespace reloadlab::model {

// A weight in e4m3 of two dimensions, and a tensor called `scale` of so many, as kinds have with `scales: kind`; nothing tied.
Status check_loaded_fp8(std::string_view method, const std::vector<SlotSpec>& before, std::string_view scale, size_t scale_dims,
                        std::string_view kind);

}  // namespace reloadlab::model
