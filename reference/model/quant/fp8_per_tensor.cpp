// 8-bit floats (e4m3, largest 448) with one scale: a symmetric method, scaled.h says its arithmetic, with the whole weight as the box.
//
//   weight_scale [1] = max |weight| / 448        weight' [k, n], dense: kernels for one scale take the weight transposed
//
// The arithmetic is that of compressed-tensors 0.20.0 (calculate_qparams in quantization/utils/helpers.py, quantize in
// quantization/lifecycle/forward.py, strategy "tensor"), but for the scale of a weight of zeros, which is 1 here; the layout and the names
// are those of Fp8OnlineLinearMethod (vllm/model_executor/layers/quantization/fp8.py).
#include "reference/model/quant/registry.h"
#include "reference/model/quant/scaled.h"

namespace reloadlab::model {
namespace {

constexpr ScaledMethod fp8_tensor_method{.id = "fp8_per_tensor",
                                         .about = "the weight as e4m3 in transposed layout with one scale, a parameter made beside it",
                                         .transposed = true,
                                         .scale_name = "weight_scale",
                                         .scale_class = "PerTensorScaleParameter"};

}  // namespace

QuantInfo fp8_per_tensor() { return weight_info<fp8_tensor_method>(); }

}  // namespace reloadlab::model
