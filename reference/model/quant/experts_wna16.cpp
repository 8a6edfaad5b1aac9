// Integers of 4 bits of fused experts, online: each expert's matrix of a stack is made into groups with zero points (groups4.h), and put
// into tiles (packed.h), as engines repack packed experts one by one (gptq_marlin_moe_repack and marlin_moe_permute_scales,
// vllm/model_executor/layers/quantization/utils/marlin_utils.py). A stack [experts, n, k] becomes
//
//   w…_weight              i32 [experts, k/16, 2n]
//   w…_weight_scale        [experts, k/g, n], in the weight's type
//   w…_weight_zero_point   i32 [experts, k/g, n/8]
//
// Tiles have 64 rows, so that gates and up projections need only have them together. Peak beside the old stacks: all results, and of the
// largest expert its scales, zero points and minima, a working copy, and its codes, a byte for each. Forwards compute with (q - zero) ·
// scale.
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/groups4.h"
#include "reference/model/quant/packed.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

struct ExpertsWna16Method {
  std::string_view id;
  std::string_view about;
  int64_t group;
};
constexpr ExpertsWna16Method experts_wna16_in_32{
    "experts_wna16_online_g32", "fused experts as int4 with scales and zero points for 32 elements along the inputs, packed in tiles", 32};
constexpr ExpertsWna16Method experts_wna16_in_128{"experts_wna16_online_g128", "the same in groups of 128", 128};
static_assert(experts_wna16_in_32.group % tile_rows == 0 && experts_wna16_in_128.group % tile_rows == 0);

StackSlots becomes(const ExpertsWna16Method& method, const StackSize& size) {
  const int64_t experts = size.experts, n = size.rows, k = size.columns, groups = k / method.group;
  return {{.shape = {experts, k / tile_rows, n * 2}, .dtype = DType::i32},
          {.name = "_scale", .shape = {experts, groups, n}, .dtype = size.dtype},
          {.name = "_zero_point", .shape = {experts, groups, n / codes_per_word}, .dtype = DType::i32}};
}

class ExpertsWna16 final : public ExpertsStep {
 public:
  explicit ExpertsWna16(const ExpertsWna16Method& method) : method_(method) {}
  std::string_view id() const override { return method_.id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    const at::Tensor& words = held(layer, slot);
    if (slot != w13_name && slot != w2_name) return words;
    const std::string name(slot);
    const at::Tensor &scales = held(layer, name + "_scale"), &zero_points = held(layer, name + "_zero_point");
    at::Tensor all = at::empty(loaded_stack(layer, slot).shape, words.options().dtype(at::kFloat));
    for (int64_t expert = 0; expert < all.size(0); ++expert)
      all.select(0, expert).copy_(dequantized(weight_of_tiles(words.select(0, expert)), scales_of_tiles(scales.select(0, expert)),
                                              zero_points_of_tiles(zero_points.select(0, expert))));
    return all;
  }

 protected:
  StackSlots becomes(const StackSize& size) const override { return model::becomes(method_, size); }

  void fill(const at::Tensor& loaded, int64_t, const std::vector<at::Tensor>& made) const override {
    Groups4 groups = groups_of(loaded, loaded.size(1) / method_.group);
    made[0].copy_(tiled_weight(codes_of(loaded, groups)));
    made[1].copy_(tiled_scales(groups.scale));
    made[2].copy_(tiled_zero_points(as_codes(groups.zero.add_(code_of_zero))));
  }

 private:
  const ExpertsWna16Method& method_;
};

std::shared_ptr<QuantMethod> make_step(const ExpertsWna16Method& method) { return std::make_shared<ExpertsWna16>(method); }

std::vector<SlotSpec> results(const ExpertsWna16Method& method, const std::vector<SlotSpec>& before) {
  return with_stacks(before, [&](const StackSize& size) { return becomes(method, size); });
}

int64_t extra_bytes(const ExpertsWna16Method& method, const std::vector<SlotSpec>& before) {
  const int64_t working = most_of_an_expert(before, [&](const StackSize& size) {
    return (size.elements() + 3 * size.elements() / method.group) * dtype_size(size.dtype) + size.elements();
  });
  return stack_bytes(before, [&](const StackSize& size) { return becomes(method, size); }) + working;
}

std::span<const std::string_view> made_names(const ExpertsWna16Method&) {
  static constexpr std::string_view names[] = {
      w13_name, w2_name, "w13_weight_scale", "w13_weight_zero_point", "w2_weight_scale", "w2_weight_zero_point"};
  return names;
}

Status check(const ExpertsWna16Method& method, const std::vector<SlotSpec>& before) {
  RELOADLAB_TRY(check_stacks(method.id, before, made_names(method)));
  for (const std::string_view name : {w13_name, w2_name}) {
    const StackSize size = stack_size(*find_slot(before, name));
    if (size.columns % method.group != 0)
      return refused(method.id, fmt::format("needs groups of {} inputs, and {} has {}", method.group, name, size.columns));
    if (size.rows % tile_columns != 0)
      return refused(method.id, fmt::format("needs tiles of {} rows of an expert, and {} has {}", tile_columns, name, size.rows));
  }
  return {};
}

}  // namespace

QuantInfo experts_wna16_online_g32() { return weight_info<experts_wna16_in_32>(); }
QuantInfo experts_wna16_online_g128() { return weight_info<experts_wna16_in_128>(); }

}  // namespace reloadlab::model
