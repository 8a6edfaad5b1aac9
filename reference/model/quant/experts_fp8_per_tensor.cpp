// 8-bit floats of fused experts, online, with one scale for each expert's matrix of a stack: scaled_experts.h. One scale an expert as in
// Fp8OnlineMoEMethod (vllm/model_executor/layers/quantization/fp8.py).
//
//   scale[e] = max |stack[e]| / 448, and 1 where that is zero        weight'[e] = stack[e] / scale[e], to the nearest e4m3, ties to even
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled_experts.h"

namespace reloadlab::model {
namespace {

constexpr ScaledExperts experts_tensor_method{"experts_fp8_per_tensor",
                                              "fused experts as e4m3 with a scale for each expert's matrix of a stack", 0, false};
constexpr ScaledExperts experts_tensor_swapped{"experts_fp8_per_tensor_w31",
                                               "the same as experts_fp8_per_tensor, up projections above gates", 0, true};

}  // namespace

QuantInfo experts_fp8_per_tensor() { return weight_info<experts_tensor_method>(); }
QuantInfo experts_fp8_per_tensor_w31() { return weight_info<experts_tensor_swapped>(); }

}  // namespace reloadlab::model
