#include "reference/model/kinds/expert_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/expert_stacks.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {
namespace {

// One row for each token and choice: which of the rank's places computes it, -1 where another rank does.
struct Routes {
  at::Tensor token, place;
};
Routes route(const Layer& layer, int64_t count, const at::Device& device) {
  const int64_t choices = layer.spec.integer("top_k");
  const at::Tensor row = at::arange(count * choices, at::TensorOptions(at::kLong).device(device));
  const at::Tensor token = row.floor_divide(choices);
  const at::Tensor expert = (token + row).remainder(layer.spec.integer("experts"));
  if (!by_expert(layer.spec)) return {token, expert};
  const at::Tensor physical = held(layer, "expert_global_to_physical").index_select(0, expert);
  const at::Tensor first = physical.select(1, 0), second = physical.select(1, physical.size(1) - 1);
  const at::Tensor chosen = at::where(token.remainder(2).eq(1).logical_and(second.ge(0)), second, first);
  return {token, held(layer, "_expert_map").index_select(0, chosen)};
}

at::Tensor unpacked(const Layer& layer, const std::string& slot) {
  if (layer.quant_method) return layer.quant_method->compute_value(layer, slot);
  const at::Tensor &words = held(layer, slot + "_packed"), &scales = held(layer, slot + "_scale");
  const bool zeros = layer.spec.flag("zero_points");
  std::vector<at::Tensor> experts;
  for (int64_t place = 0; place < words.size(0); ++place)
    experts.push_back(dequantized(unpacked_columns(words[place]), scales[place],
                                  zeros ? unpacked_rows(held(layer, slot + "_zero_point")[place]) : at::Tensor()));
  return at::stack(experts);
}

// A scale for all, or one for each half of the rows.
at::Tensor scale_halves(const at::Tensor& single, const at::Tensor& scales) {
  const int64_t parts = scales.numel(), rows = single.size(0) / parts;
  for (int64_t part = 0; part < parts; ++part) single.narrow(0, part * rows, rows).mul_(scales.view({parts}).select(0, part));
  return single;
}

at::Tensor computed(const Layer& layer, const std::string& slot) {
  if (layer.spec.flag("packed")) return unpacked(layer, slot);
  const at::Tensor weight = logical(layer, slot);
  if (layer.spec.text("scales") == "none") return weight;
  const at::Tensor scales = logical(layer, slot + (has_block_scales(layer.spec) ? "_scale_inv" : "_scale"));
  std::vector<at::Tensor> experts;
  for (int64_t place = 0; place < weight.size(0); ++place) {
    at::Tensor single = weight[place].to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    experts.push_back(has_block_scales(layer.spec) ? scale_boxes(single, scales[place], expert_block)
                                                   : scale_halves(single, scales[place]));
  }
  return at::stack(experts);
}

}  // namespace

at::Tensor forward_experts(const Layer& layer, const at::Tensor& input) {
  const at::Tensor w13 = computed(layer, "w13_weight"), w2 = computed(layer, "w2_weight");
  const Routes routes = route(layer, input.size(0), w13.device());
  const at::Tensor place = routes.place.clamp_min(0);
  const at::Tensor x = input.to(w13.scalar_type()).index_select(0, routes.token);
  const at::Tensor both = at::bmm(w13.index_select(0, place), x.unsqueeze(2)).squeeze(2);
  const int64_t share = both.size(1) / 2;
  const at::Tensor gated = at::silu(both.narrow(1, 0, share)) * both.narrow(1, share, share);
  const at::Tensor rows = at::bmm(w2.index_select(0, place), gated.unsqueeze(2)).squeeze(2);
  const at::Tensor mine = rows.masked_fill(routes.place.lt(0).unsqueeze(1), 0);
  const int64_t choices = layer.spec.integer("top_k");
  return mine.view({input.size(0), choices, mine.size(1)}).sum(1) / static_cast<double>(choices);
}

}  // namespace reloadlab::model
