// 8-bit floats (e4m3, largest 448) of fused experts, online: each expert is quantized as scaled.h says, with one scale for a stack's matrix
// (both parts of w13 share it) or one for each 128×128 of a part.
//
//   whole    w13_weight_scale     [experts]                        w2_weight_scale     [experts]
//   blocks   w13_weight_scale_inv [experts, 2⌈n/128⌉, ⌈k/128⌉]     w2_weight_scale_inv [experts, ⌈h/128⌉, ⌈n/128⌉]
//
// Blocks at a part's edges are smaller; nothing is padded. Kernels of FlashInfer and CUTLASS take the up projection above the gate: with
// `swapped` the parts of w13 change places, and with blocks those of its scales (swap_w13_to_w31 in
// vllm/model_executor/layers/quantization/utils/flashinfer_utils.py; one scale an expert as in Fp8OnlineMoEMethod, …/quantization/fp8.py).
//
// experts_w31 is that exchange alone, of weights that stay as they are: a permutation.
//
// Peak beside the old stacks: all results, and of the largest expert what quantizing takes: a part, or the expert where it has one scale,
// in single precision, and what its scales are worked out with. Forwards compute with weight' · scale, in the order of checkpoints.
#include <ATen/ops/empty.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/boxes.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr double largest = 448;

struct Method {
  std::string_view id;
  std::string_view about;
  int64_t box;  // 0: the whole matrix
  bool swapped;
  std::string_view scale() const { return box == 0 ? "_scale" : "_scale_inv"; }
};
constexpr Method whole{"experts_fp8_per_tensor", "fused experts as e4m3 with a scale for each expert's matrix of a stack", 0, false};
constexpr Method blocks{"experts_fp8_block", "fused experts as e4m3 with a scale a block of 128×128", 128, false};
constexpr Method whole_w31{"experts_fp8_per_tensor_w31", "the same as experts_fp8_per_tensor, up projections above gates", 0, true};
constexpr Method blocks_w31{"experts_fp8_block_w31", "the same as experts_fp8_block, up projections and their scales above gates", 128,
                            true};

// A part's place among those of an expert.
int64_t place_of(bool swapped, int64_t part, int64_t parts) { return swapped ? parts - 1 - part : part; }

// The boxes that are worked on at a time: of a part, or of all parts together.
int64_t regions_of(const Method& method, int64_t parts) { return method.box == 0 ? 1 : parts; }
Boxes boxes_of(const Method& method, const StackSize& size) {
  return cut(size.rows / regions_of(method, size.parts), size.columns, method.box, method.box);
}

StackSlots becomes(const Method& method, const StackSize& size) {
  const Boxes boxes = boxes_of(method, size);
  const Shape scales = method.box == 0 ? Shape{size.experts} : Shape{size.experts, boxes.down * size.parts, boxes.across};
  return {{.shape = {size.experts, size.rows, size.columns}, .dtype = DType::e4m3},
          {.name = std::string(method.scale()), .shape = scales, .dtype = DType::f32}};
}

// The stack's parts exchanged, in a tensor of its own.
at::Tensor exchanged(const at::Tensor& stack) {
  at::Tensor other = at::empty(stack.sizes(), stack.options());
  const int64_t rows = stack.size(1) / 2;
  for (int64_t part : {0, 1}) other.narrow(1, (1 - part) * rows, rows).copy_(stack.narrow(1, part * rows, rows));
  return other;
}

class ExpertsFp8 final : public ExpertsStep {
 public:
  explicit ExpertsFp8(const Method& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& value = held(layer, slot);
    if (slot != w13_name && slot != w2_name) return value;
    const at::Tensor single = at::empty(value.sizes(), value.options().dtype(at::kFloat)).copy_(value);
    const at::Tensor& scales = held(layer, std::string(slot).append(method_.scale()));
    for (int64_t expert = 0; expert < single.size(0); ++expert) apply(single.select(0, expert), slot == w13_name ? 2 : 1, scales, expert);
    return method_.swapped && slot == w13_name ? exchanged(single) : single;
  }

 protected:
  StackSlots becomes(const StackSize& size) const override { return model::becomes(method_, size); }

  void fill(const at::Tensor& loaded, int64_t parts, const std::vector<at::Tensor>& made) const override {
    const int64_t regions = regions_of(method_, parts), rows = loaded.size(0) / regions, pieces = parts / regions, piece = rows / pieces;
    const Boxes boxes = cut(rows, loaded.size(1), method_.box, method_.box);
    for (int64_t region = 0; region < regions; ++region) {
      const at::Tensor single = single_precision(loaded.narrow(0, region * rows, rows), boxes);
      const at::Tensor scales =
          method_.box == 0 ? made[1].view({1}) : made[1].narrow(0, place_of(method_.swapped, region, regions) * boxes.down, boxes.down);
      find_scales(scales, single, boxes, largest);
      divide(single, scales, boxes, largest);
      for (int64_t i = 0; i < pieces; ++i)
        made[0]
            .narrow(0, place_of(method_.swapped, region * pieces + i, parts) * piece, piece)
            .copy_(single.narrow(0, i * piece, piece).narrow(1, 0, loaded.size(1)));
    }
  }

 private:
  void apply(const at::Tensor& matrix, int64_t parts, const at::Tensor& scales, int64_t expert) const {
    if (method_.box == 0) {
      matrix.mul_(scales.select(0, expert));
      return;
    }
    const int64_t rows = matrix.size(0) / parts, down = scales.size(1) / parts;
    for (int64_t part = 0; part < parts; ++part) {
      at::Tensor of_part = matrix.narrow(0, part * rows, rows);
      scale_boxes(of_part, scales.select(0, expert).narrow(0, part * down, down), method_.box);
    }
  }

  const Method& method_;
};

std::shared_ptr<QuantMethod> make_step(const Method& method) { return std::make_shared<ExpertsFp8>(method); }

std::vector<SlotSpec> results(const Method& method, const std::vector<SlotSpec>& before) {
  return with_stacks(before, [&](const StackSize& size) { return becomes(method, size); });
}

int64_t extra_bytes(const Method& method, const std::vector<SlotSpec>& before) {
  const int64_t working = most_of_an_expert(before, [&](const StackSize& size) {
    const Boxes boxes = boxes_of(method, size);
    return boxes.elements() * dtype_size(DType::f32) + scale_working_bytes(boxes);
  });
  return stack_bytes(before, [&](const StackSize& size) { return becomes(method, size); }) + working;
}

std::span<const std::string_view> made_names(const Method& method) {
  static constexpr std::string_view scales[] = {w13_name, w2_name, "w13_weight_scale", "w2_weight_scale"};
  static constexpr std::string_view inverses[] = {w13_name, w2_name, "w13_weight_scale_inv", "w2_weight_scale_inv"};
  return method.box == 0 ? std::span(scales) : std::span(inverses);
}

Status check(const Method& method, const std::vector<SlotSpec>& before) { return check_stacks(method.id, before, made_names(method)); }

class ExpertsW31 final : public QuantMethod {
 public:
  std::string_view id() const override { return "experts_w31"; }

  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return slot == w13_name ? exchanged(processed) : processed;
  }

 protected:
  Status process(Layer& layer) override {
    const ParameterPtr old = layer.tensor(w13_name);  // alive to the end of the step
    if (!old || old->tensor.dim() != 3) return Status(Code::failed, layer.path() + ": there is no stack w13_weight of matrices");
    const at::Tensor other = exchanged(old->tensor);
    RELOADLAB_TRY(post_load_middle(layer));
    layer.assign(w13_name, replacement_of(old, other));
    return {};
  }
};

std::vector<int64_t> exchange(const SlotSpec& before) {
  std::vector<int64_t> from = identity_permutation(before);
  if (before.name != w13_name) return from;
  const int64_t half = before.shape[1] / 2 * before.shape[2];
  for (int64_t& element : from) element += element / half % 2 == 0 ? half : -half;
  return from;
}

}  // namespace

QuantInfo experts_fp8_per_tensor() { return weight_info<whole>(); }
QuantInfo experts_fp8_block() { return weight_info<blocks>(); }
QuantInfo experts_fp8_per_tensor_w31() { return weight_info<whole_w31>(); }
QuantInfo experts_fp8_block_w31() { return weight_info<blocks_w31>(); }

QuantInfo experts_w31() {
  return {.id = "experts_w31",
          .about = "fused experts with their up projections above their gates, in a new tensor",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<ExpertsW31>(); },
          .results = [](const std::vector<SlotSpec>& before) { return before; },
          .extra_bytes = [](const std::vector<SlotSpec>& before) { return storage_bytes(*find_slot(before, w13_name)); },
          .permutes = [](std::string_view) { return true; },
          .permutation = exchange,
          .check = [](const std::vector<SlotSpec>& before) { return check_stacks("experts_w31", before, {}); }};
}

}  // namespace reloadlab::model
