#pragma once
// Every quantization method, one function each: registry.cpp lists them.
#include "reference/model/kind.h"

namespace reloadlab::model {

QuantInfo no_quant();
QuantInfo tile_permute();
QuantInfo fp8_per_tensor();
QuantInfo fp8_per_channel();
QuantInfo fp8_block();
QuantInfo int8_per_channel();
QuantInfo drifting_shape();
QuantInfo drifting_dtype();
QuantInfo drifting_extra();
QuantInfo drifting_rename();

}  // namespace reloadlab::model
