#include "reference/model/quant/registry.h"

namespace reloadlab::model {

std::span<const QuantInfo> quant_methods() {
  static const QuantInfo methods[] = {no_quant(),
                                      tile_permute(),
                                      row_table(),
                                      fp8_per_tensor(),
                                      fp8_per_channel(),
                                      fp8_block(),
                                      int8_per_channel(),
                                      int8_weight_only(),
                                      int8_weight_only_g32(),
                                      int4_weight_only_g32(),
                                      int4_weight_only_g64(),
                                      int4_weight_only_g128(),
                                      wna16(),
                                      wna16_online_g32(),
                                      wna16_online_g128(),
                                      loaded_fp8_per_tensor(),
                                      loaded_fp8_block(),
                                      experts_fp8_per_tensor(),
                                      experts_fp8_block(),
                                      experts_fp8_per_tensor_w31(),
                                      experts_fp8_block_w31(),
                                      experts_w31(),
                                      loaded_experts_fp8_per_tensor(),
                                      experts_wna16(),
                                      experts_wna16_online_g32(),
                                      experts_wna16_online_g128(),
                                      kernel_helpers(),
                                      kernel_constants(),
                                      kernel_scratch(),
                                      fills_cache(),
                                      renamed(),
                                      renamed_once(),
                                      drifting_shape(),
                                      drifting_dtype(),
                                      drifting_extra(),
                                      drifting_rename()};
  return methods;
}

const QuantInfo* find_quant_method(std::string_view id) {
  for (const QuantInfo& method : quant_methods())
    if (method.id == id) return &method;
  return nullptr;
}

}  // namespace reloadlab::model
