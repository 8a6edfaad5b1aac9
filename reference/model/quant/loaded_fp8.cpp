#include "reference/model/quant/loaded_fp8.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/quant/weight.h"

namespace reloadlab::model {

Status check_loaded_fp8(std::string_view id, const std::vector<SlotSpec>& before, std::string_view scale, size_t scale_dims,
                        std::string_view kind) {
  if (std::ranges::any_of(before, [](const SlotSpec& slot) { return slot.alias_of.has_value(); }))
    return refused(id, "cannot replace tensors that are tied or views");
  const SlotSpec *weight = find_slot(before, weight_name), *scales = find_slot(before, scale);
  if (weight && weight->dtype == DType::e4m3 && weight->shape.size() == 2 && scales && scales->shape.size() == scale_dims) return {};
  return refused(id, fmt::format("needs a weight in e4m3 with {}, as scaled_column_parallel_linear, scaled_row_parallel_linear and "
                                 "scaled_replicated_linear have with scales: {}",
                                 scale, kind));
}
}  // namespace reloadlab::model
