// Weights of 4 bits that a checkpoint brings packed, as engines run compressed-tensors' WNA16 with Marlin kernels: the post-load step
// unpacks the codes, puts them into the order of tiles, and packs them again. The layouts, and their source, are in packed.h. All integers:
// nothing is rounded, every weight can be told from the result.
//
//   weight_packed      i32 [n, k/8]     becomes  i32 [k/16, 2n]
//   weight_scale       [n, k/g]                  [k/g, n]
//   weight_zero_point  i32 [n/8, k/g]            i32 [k/g, n/8]    where there are zero points; without them a code of 8 stands for zero
//   weight_shape       i64 [2]          stays
//
// Each gets a new handle, in this order. Peak beside the old tensors: the new weight with the codes, a byte for each, or all new tensors
// with the codes of the zero points. Forwards compute with (code - zero) · scale.
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/packed.h"
#include "reference/model/quant/registry.h"
#include "reference/model/quant/weight.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view wna16_id = "wna16", packed_name = "weight_packed", scale_name = "weight_scale",
                           zero_point_name = "weight_zero_point";

class Wna16 final : public QuantMethod {
 public:
  std::string_view id() const override { return wna16_id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    if (slot != weight_name) return held(layer, slot);
    const ParameterPtr zero_points = layer.tensor(zero_point_name);
    return dequantized(weight_of_tiles(held(layer, packed_name)), scales_of_tiles(held(layer, scale_name)),
                       zero_points ? zero_points_of_tiles(zero_points->tensor) : at::Tensor());
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old_packed = layer.tensor(packed_name), old_scale = layer.tensor(scale_name),
                       old_zero_point = layer.tensor(zero_point_name);
    if (!old_packed || !old_scale) return Status(Code::failed, fmt::format("layer {} has no packed weight with a scale", layer.path()));
    layer.assign(packed_name, replacement_of(old_packed, tiled_weight(unpacked_columns(old_packed->tensor))));
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(scale_name, replacement_of(old_scale, tiled_scales(old_scale->tensor)));
    if (old_zero_point)
      layer.assign(zero_point_name, replacement_of(old_zero_point, tiled_zero_points(unpacked_rows(old_zero_point->tensor))));
    return {};
  }
};

std::vector<SlotSpec> wna16_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  for (SlotSpec& slot : after) {
    if (slot.name == packed_name) slot.shape = {slot.shape[1] * codes_per_word / tile_rows, slot.shape[0] * 2};
    if (slot.name == scale_name || slot.name == zero_point_name) std::swap(slot.shape[0], slot.shape[1]);
  }
  return after;
}

int64_t wna16_extra_bytes(const std::vector<SlotSpec>& before) {
  const int64_t weight = storage_bytes(*find_slot(before, packed_name)), codes = weight * 2;
  int64_t beside = storage_bytes(*find_slot(before, scale_name));
  if (const SlotSpec* zero_points = find_slot(before, zero_point_name)) beside += storage_bytes(*zero_points) * 3;
  return weight + std::max(codes, beside);
}

Status check_wna16(const std::vector<SlotSpec>& before) {
  if (std::ranges::any_of(before, [](const SlotSpec& slot) { return slot.alias_of.has_value(); }))
    return refused(wna16_id, "cannot replace tensors that are tied or views");
  const SlotSpec *weight = find_slot(before, packed_name), *scales = find_slot(before, scale_name);
  if (!weight || !scales || weight->dtype != DType::i32 || weight->shape.size() != 2 || scales->shape.size() != 2)
    return refused(wna16_id,
                   "needs a packed weight with its scales, as packed_column_parallel_linear and packed_row_parallel_linear have them");
  const int64_t n = weight->shape[0], k = weight->shape[1] * codes_per_word;
  if (n % tile_columns == 0 && k % tile_rows == 0) return {};
  return refused(wna16_id, fmt::format("needs tiles of {} outputs and {} inputs on each rank, and the weight has {} and {}", tile_columns,
                                       tile_rows, n, k));
}

}  // namespace

QuantInfo wna16() {
  return {.id = wna16_id,
          .about = "packed int4 weights, unpacked and packed again in tiles, with scales and zero points in their order",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<Wna16>(); },
          .results = wna16_results,
          .extra_bytes = wna16_extra_bytes,
          .permutes = [](std::string_view slot) { return slot != packed_name && slot != scale_name && slot != zero_point_name; },
          .permutation = identity_permutation,
          .check = check_wna16};
}

}  // namespace reloadlab::model
