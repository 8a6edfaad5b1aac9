#pragma once
// 8-bit floats (e4m3, largest 448) of fused experts, online, one row of a table a method. Each expert is quantized as scaled.h says, with
// one scale for a stack's matrix (both parts of w13 share it) or one for each box of a part:
//
//   whole    w13_weight_scale     [experts]                        w2_weight_scale     [experts]
//   blocks   w13_weight_scale_inv [experts, 2⌈n/128⌉, ⌈k/128⌉]     w2_weight_scale_inv [experts, ⌈h/128⌉, ⌈n/128⌉]
//
// Blocks at a part's edges are smaller; nothing is padded. Kernels of FlashInfer and CUTLASS take the up projection above the gate: with
// `swapped` the parts of w13 change places, and with blocks those of its scales (swap_w13_to_w31 in
// vllm/model_executor/layers/quantization/utils/flashinfer_utils.py).
//
// Peak beside the old stacks: all results, and of the largest expert what quantizing takes: a part, or the expert where it has one scale,
// in single precision, and what its scales are worked out with. Forwards compute with weight' · scale, in the order of checkpoints.
#include "reference/model/quant/experts.h"

namespace reloadlab::model {

struct ScaledExperts {
  std::string_view id;
  std::string_view about;
  int64_t box;  // 0: the whole matrix
  bool swapped;
  std::string_view scale() const { return box == 0 ? "_scale" : "_scale_inv"; }
};

// What weight_info() wants of a method.
std::shared_ptr<QuantMethod> make_step(const ScaledExperts& method);  // keeps a reference
std::vector<SlotSpec> results(const ScaledExperts& method, const std::vector<SlotSpec>& before);
int64_t extra_bytes(const ScaledExperts& method, const std::vector<SlotSpec>& before);
std::span<const std::string_view> made_names(const ScaledExperts& method);
Status check(const ScaledExperts& method, const std::vector<SlotSpec>& before);

}  // namespace reloadlab::model
