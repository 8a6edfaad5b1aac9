// A layer of experts in two stacks of matrices: w13_weight holds each expert's gate (w1) above its up projection (w3), w2_weight its
// down projection. Over the ranks, experts are cut or dealt out:
//
//   tensor     every rank has all experts, and of each the same share of the intermediate elements
//   expert     every rank has as many places for whole experts, and tables of which expert has which place
//
// With redundant experts there are more places than experts, and the first ones have two. 6 experts and 2 redundant ones on 4 ranks:
//
//   linear        0 1 | 2 3 | 4 5 | 0 1      round_robin      0 4 | 1 5 | 2 0 | 3 1
//
// With `scales: block` the checkpoint brings 8-bit weights, and for each matrix [n, k] weight_scale_inv [⌈n/128⌉, ⌈k/128⌉], the scales of
// its blocks of 128×128: they are stacked, cut and dealt out as the matrices are. What the weight stands for is weight · scale.
//
// With `scales: tensor` it brings 8-bit weights and a weight_scale [1] for each matrix, whole on every rank: w13_weight_scale [experts, 2],
// of gate and up projection, and w2_weight_scale [experts].
//
// With `packed` it brings integers of 4 bits in words, as compressed-tensors stores them (quant/packed.h): weight_packed i32 [n, k/8] and
// weight_scale [n, k/g], stacked as well, with `zero_points` weight_zero_point i32 [n/8, k/g], and weight_shape i64 [2]. An expert's gate
// and up projection have one place for theirs, in a stack [experts, 2]: the last one stays.
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/expert_forward.h"
#include "reference/model/kinds/expert_loader.h"
#include "reference/model/kinds/expert_places.h"
#include "reference/model/kinds/expert_stacks.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"

namespace reloadlab::model {
namespace {

constexpr int64_t tokens = 3;
constexpr int64_t experts_most = 65536;  // each has deliveries of its own

class FusedExperts final : public KindBase {
 public:
  FusedExperts()
      : KindBase(
            "fused_experts", "experts in two stacks of matrices, cut or dealt out over ranks; its forward is a partial sum",
            {{.name = "hidden", .required = true, .minimum = 1, .about = "inputs and outputs of an expert"},
             {.name = "intermediate", .required = true, .minimum = 1, .about = "elements between an expert's projections"},
             {.name = "experts", .required = true, .minimum = 1, .about = "experts, as checkpoints number them"},
             {.name = "top_k", .fallback = int64_t{1}, .minimum = 1, .about = "experts that each token goes to"},
             {.name = "parallel",
              .type = KeyInfo::Type::text,
              .fallback = std::string("tensor"),
              .about = "what ranks split: the intermediate elements of every expert, or the experts",
              .choices = "tensor|expert"},
             {.name = "placement",
              .type = KeyInfo::Type::text,
              .fallback = std::string("linear"),
              .about = "with parallel expert, whether a rank has experts that follow one another, or one in so many",
              .choices = "linear|round_robin"},
             {.name = "redundant", .minimum = 0, .about = "with parallel expert, how many of the first experts have a second place"},
             {.name = "names",
              .type = KeyInfo::Type::text,
              .fallback = std::string("gate_proj,down_proj,up_proj"),
              .about = "what checkpoints call w1, w2 and w3 of an expert"},
             {.name = "packed",
              .type = KeyInfo::Type::boolean,
              .fallback = false,
              .about = "checkpoints bring packed int4 weights with scales of groups"},
             {.name = "zero_points", .type = KeyInfo::Type::boolean, .fallback = false, .about = "packed weights have packed zero points"},
             {.name = "group", .fallback = int64_t{32}, .minimum = 1, .about = "of packed weights, inputs that share a scale"},
             {.name = "scales",
              .type = KeyInfo::Type::text,
              .fallback = std::string("none"),
              .about = "whether weights are 8-bit, and what has a scale: a matrix, or blocks of 128×128",
              .choices = "none|tensor|block"},
             loader_key()}) {}

  bool is_partial(const LayerSpec&) const override { return true; }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    return place_expert(spec, delivery, split_over(spec, tp));
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "FusedMoE");
    add_stacks(layer);
    if (by_expert(spec)) add_tables(*layer);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return forward_experts(layer, input); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({tokens, spec.integer("hidden")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots = stack_slots(spec, split_over(spec, tp));
    if (by_expert(spec)) append_table_slots(spec, split_over(spec, tp), slots);
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override { return stack_deliveries(spec); }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int ranks = split_over(spec, tp).size;
    const auto refuse = [&](std::string what) { return Status(Code::data, spec.name + ": " + std::move(what)); };
    const int64_t experts = spec.integer("experts"), redundant = spec.integer("redundant");
    if (experts > experts_most) return refuse(fmt::format("{} experts, expected at most {}", experts, experts_most));
    if (spec.integer("top_k") > experts) return refuse(fmt::format("top_k is {}, of {} experts", spec.integer("top_k"), experts));
    if (redundant > experts) return refuse(fmt::format("{} redundant experts of {}: no expert has three places", redundant, experts));
    if (redundant > 0 && !by_expert(spec)) return refuse("redundant experts need parallel: expert");
    RELOADLAB_TRY(by_expert(spec) ? must_divide(spec, "places for experts", experts + redundant, ranks)
                                  : must_divide(spec, "intermediate elements", spec.integer("intermediate"), ranks));
    RELOADLAB_TRY(check_stack_sizes(spec, ranks));
    return must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& fused_experts() {
  static const FusedExperts kind;
  return kind;
}

}  // namespace reloadlab::model
