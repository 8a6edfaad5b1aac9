#pragma once
// What a rank computes of a layer of kind fused_experts, whatever its stacks hold.
#include "reference/model/layer.h"

namespace reloadlab::model {

// A fixed routing: token t goes to the experts from t·(k+1) on, and odd tokens to second copies.
at::Tensor forward_experts(const Layer& layer, const at::Tensor& input);

}  // namespace reloadlab::model
