#pragma once
// Every quantization method, one function each: registry.cpp lists them.
#include "reference/model/kind.h"

namespace reloadlab::model {

QuantInfo no_quant();
QuantInfo tile_permute();
QuantInfo row_table();
QuantInfo fp8_per_tensor();
QuantInfo fp8_per_channel();
QuantInfo fp8_block();
QuantInfo int8_per_channel();
QuantInfo int8_weight_only();
QuantInfo int8_weight_only_g32();
QuantInfo int4_weight_only_g32();
QuantInfo int4_weight_only_g64();
QuantInfo int4_weight_only_g128();
QuantInfo wna16();
QuantInfo wna16_online_g32();
QuantInfo wna16_online_g128();
QuantInfo loaded_fp8_per_tensor();
QuantInfo loaded_fp8_block();
QuantInfo experts_fp8_per_tensor();
QuantInfo experts_fp8_block();
QuantInfo experts_fp8_per_tensor_w31();
QuantInfo experts_fp8_block_w31();
QuantInfo experts_w31();
QuantInfo loaded_experts_fp8_per_tensor();
QuantInfo experts_wna16();
QuantInfo experts_wna16_online_g32();
QuantInfo experts_wna16_online_g128();
QuantInfo kernel_helpers();
QuantInfo kernel_constants();
QuantInfo kernel_scratch();
QuantInfo fills_cache();
QuantInfo renamed();
QuantInfo renamed_once();
QuantInfo drifting_shape();
QuantInfo drifting_dtype();
QuantInfo drifting_extra();
QuantInfo drifting_rename();

}  // namespace reloadlab::model
