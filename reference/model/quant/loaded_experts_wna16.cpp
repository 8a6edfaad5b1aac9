// Integers of 4 bits of fused experts that a checkpoint brings packed, as wna16.cpp has them for linear layers: of each expert words are
// unpacked, put into tiles and packed again, and its scales and zero points put into their order. Nothing is rounded.
//
//   w…_weight_packed      i32 [experts, n, k/8]     becomes  i32 [experts, k/16, 2n]
//   w…_weight_scale       [experts, n, k/g]                  [experts, k/g, n]
//   w…_weight_zero_point  i32 [experts, n/8, k/g]            i32 [experts, k/g, n/8]    where there are; without them a code of 8 is zero
//   w…_weight_shape       i64 [experts, 2]          stays
//
// Layouts, and their source, are in packed.h; engines go expert by expert too (gptq_marlin_moe_repack, marlin_moe_permute_scales and
// moe_awq_to_marlin_zero_points, vllm/model_executor/layers/quantization/utils/marlin_utils.py). Peak beside the old tensors: all new ones,
// and of the largest expert the codes with the words made of them, or its scales. Forwards compute with (code - zero) · scale.
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/quant/experts.h"
#include "reference/model/quant/packed.h"
#include "reference/model/quant/registry.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view loaded_wna16_id = "experts_wna16";

// What stands beside each stack of words. With words and zero points a byte is made for each code, so twice what words take.
struct Kind {
  std::string_view suffix;
  int64_t bytes_most;  // that an expert takes, new tensor included, in times of the old one
  at::Tensor (*tiled)(const at::Tensor& of_expert);
  Shape (*shape)(const Shape& before);
};
constexpr int64_t words_and_codes = 3;
Shape turned(const Shape& before) { return {before[0], before[2], before[1]}; }
const Kind kinds[] = {
    {"_packed", words_and_codes, [](const at::Tensor& words) { return tiled_weight(unpacked_columns(words)); },
     [](const Shape& before) {
       return Shape{before[0], before[2] * codes_per_word / tile_rows, before[1] * 2};
     }},
    {"_scale", 1, tiled_scales, turned},
    {"_zero_point", words_and_codes, [](const at::Tensor& words) { return tiled_zero_points(unpacked_rows(words)); }, turned}};
constexpr std::string_view zero_point_suffix = "_zero_point";
constexpr std::string_view loaded_wna16_stack_names[] = {w13_name, w2_name};

std::string slot_name(std::string_view stack, const Kind& kind) { return fmt::format("{}{}", stack, kind.suffix); }

const Kind* kind_of(std::string_view slot) {
  for (const std::string_view stack : loaded_wna16_stack_names)
    for (const Kind& kind : kinds)
      if (slot == slot_name(stack, kind)) return &kind;
  return nullptr;
}

struct Replaced {
  std::string name;
  ParameterPtr old;  // alive to the end of the step
  const Kind* kind;
  at::Tensor made;
};

class LoadedExpertsWna16 final : public QuantMethod {
 public:
  std::string_view id() const override { return loaded_wna16_id; }

  at::Tensor compute_value(const Layer& layer, std::string_view slot) const override {
    if (slot != w13_name && slot != w2_name) return held(layer, slot);
    const std::string name(slot);
    const at::Tensor &words = held(layer, name + "_packed"), &scales = held(layer, name + "_scale");
    const ParameterPtr zeros = layer.tensor(name + "_zero_point");
    at::Tensor all = at::empty({words.size(0), words.size(2) / 2, words.size(1) * tile_rows}, words.options().dtype(at::kFloat));
    for (int64_t expert = 0; expert < all.size(0); ++expert)
      all.select(0, expert).copy_(dequantized(weight_of_tiles(words.select(0, expert)), scales_of_tiles(scales.select(0, expert)),
                                              zeros ? zero_points_of_tiles(zeros->tensor.select(0, expert)) : at::Tensor()));
    return all;
  }

 protected:
  Status process(Layer& layer) override {
    std::vector<Replaced> all;
    for (const Kind& kind : kinds)
      for (const std::string_view stack : loaded_wna16_stack_names) {
        const std::string name = slot_name(stack, kind);
        ParameterPtr old = layer.tensor(name);
        if (!old && kind.suffix == zero_point_suffix) continue;
        if (!old) return Status(Code::failed, fmt::format("layer {} has no {}", layer.path(), name));
        at::Tensor made = at::empty(kind.shape(old->tensor.sizes().vec()), old->tensor.options());
        all.push_back({name, std::move(old), &kind, std::move(made)});
      }
    for (const Replaced& each : all)
      for (int64_t expert = 0; expert < experts_worked_on(each.made); ++expert)
        each.made.select(0, expert).copy_(each.kind->tiled(each.old->tensor.select(0, expert)));
    for (const Replaced& each : all) {
      if (&each == &all[1]) RELOADLAB_TRY(post_load_middle(layer));
      layer.assign(each.name, replacement_of(each.old, each.made));
    }
    return {};
  }
};

std::vector<SlotSpec> loaded_wna16_results(const std::vector<SlotSpec>& before) {
  std::vector<SlotSpec> after = before;
  for (SlotSpec& slot : after)
    if (const Kind* kind = kind_of(slot.name)) slot.shape = kind->shape(slot.shape);
  return after;
}

int64_t loaded_wna16_extra_bytes(const std::vector<SlotSpec>& before) {
  int64_t results = 0, most = 0;
  for (const SlotSpec& slot : before) {
    const Kind* kind = kind_of(slot.name);
    if (!kind) continue;
    results += storage_bytes(slot);
    most = std::max(most, storage_bytes(slot) / slot.shape[0] * kind->bytes_most);
  }
  return results + most;
}

Status check_loaded_wna16(const std::vector<SlotSpec>& before) {
  if (std::ranges::any_of(before, [](const SlotSpec& slot) { return slot.alias_of.has_value(); }))
    return refused(loaded_wna16_id, "cannot replace tensors that are tied or views");
  for (const std::string_view stack : loaded_wna16_stack_names) {
    const std::string name = slot_name(stack, kinds[0]);
    const SlotSpec* words = find_slot(before, name);
    if (!words || words->shape.size() != 3)
      return refused(loaded_wna16_id, "needs packed stacks with their scales, as fused_experts has them with packed");
    const int64_t n = words->shape[1], k = words->shape[2] * codes_per_word;
    if (n % tile_columns != 0 || k % tile_rows != 0)
      return refused(loaded_wna16_id, fmt::format("needs tiles of {} outputs and {} inputs of an expert, and {} has {} and {}",
                                                  tile_columns, tile_rows, name, n, k));
  }
  return {};
}

}  // namespace

QuantInfo experts_wna16() {
  return {.id = loaded_wna16_id,
          .about = "packed int4 experts, unpacked and packed again in tiles, with scales and zero points in their order",
          .make = []() -> std::shared_ptr<QuantMethod> { return std::make_shared<LoadedExpertsWna16>(); },
          .results = loaded_wna16_results,
          .extra_bytes = loaded_wna16_extra_bytes,
          .permutes = [](std::string_view slot) { return kind_of(slot) == nullptr; },
          .permutation = identity_permutation,
          .check = check_loaded_wna16};
}

}  // namespace reloadlab::model
