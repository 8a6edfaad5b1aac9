// Row-parallel linear layers whose checkpoint brings 8-bit weights (e4m3 or i8: the layer's dtype) with their scales:
//
//   scales      of a weight [out, in]                    of the layer on a rank
//   tensor      weight_scale [1]                         [1], whole
//   channel     weight_scale [out, 1]                    [out, 1], whole: every rank has all rows
//   block       weight_scale_inv [⌈out/128⌉, ⌈in/128⌉]   [⌈out/128⌉, columns/128]; ranks meet at blocks
//
// What the weight stands for is weight · scale, as in scaled_column_parallel_linear.
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/kinds/stored_weight.h"

namespace reloadlab::model {
namespace {

struct RowScales {
  std::string_view name = "weight_scale";
  Shape whole;
  bool split = false;  // its columns, over ranks
  Shape on_rank(int ranks) const { return split ? Shape{whole[0], whole[1] / ranks} : whole; }
};

RowScales row_scales_of(const LayerSpec& spec) {
  const int64_t in = spec.integer("in"), out = spec.integer("out");
  const std::string& kind = spec.text("scales");
  if (kind == "tensor") return {.whole = {1}};
  if (kind == "channel") return {.whole = {out, 1}};
  return {.name = "weight_scale_inv", .whole = {scale_blocks(out), scale_blocks(in)}, .split = true};
}

class ScaledRowParallelLinear final : public KindBase {
 public:
  ScaledRowParallelLinear()
      : KindBase("scaled_row_parallel_linear", "row-parallel linear layer of 8-bit weights that come with scales",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs, split over ranks"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs"},
                  scales_key("what has a scale: the weight, each of its rows, or blocks of 128×128"),
                  loader_key()}) {}

  bool is_partial(const LayerSpec&) const override { return true; }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    if (delivery.slot != "weight" && !row_scales_of(spec).split) return place_whole(delivery.shape);
    const Piece columns = piece_of(delivery.shape[1], delivery.shape[1], tp);
    return place({0, columns.start}, {0, 0}, {delivery.shape[0], columns.local});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    LayerPtr layer = make_layer(spec, tp, "RowParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {out, in / tp.size}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadSplit{{{out, in}, 2}, 1}));
    const std::string& kind = spec.text("scales");
    if (kind == "block") {
      const int64_t down = (out + scale_block - 1) / scale_block, across = (in + scale_block - 1) / scale_block;
      ParameterPtr scale = add_parameter(*layer, "weight_scale_inv", {down, across / tp.size}, DType::f32, "BlockQuantScaleParameter");
      set_loader(scale, rule_loader(layer, LoadSplit{{{down, across}, 2}, 1}));
    } else if (kind == "channel") {
      ParameterPtr scale = add_parameter(*layer, "weight_scale", {out, 1}, DType::f32, "ChannelQuantScaleParameter");
      set_loader(scale, rule_loader(layer, LoadSplit{{{out, 1}, 2}}));
    } else {
      ParameterPtr scale = add_parameter(*layer, "weight_scale", {1}, DType::f32, "PerTensorScaleParameter");
      set_loader(scale, rule_loader(layer, LoadSplit{{{1}, 1}}));
    }
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return at::linear(input.to(at::kFloat),
                      layer.quant_method ? logical(layer, "weight") : scaled_weight(layer, row_scales_of(layer.spec).name));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    const Piece columns = piece_of(spec.integer("in"), spec.integer("in"), tp);
    return example_values({3, spec.integer("in")}, seed).narrow(1, columns.start, columns.local);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const RowScales scales = row_scales_of(spec);
    return {{.name = "weight", .shape = {spec.integer("out"), spec.integer("in") / tp.size}, .dtype = spec.dtype},
            {.name = std::string(scales.name), .shape = scales.on_rank(tp.size), .dtype = DType::f32}};
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const RowScales scales = row_scales_of(spec);
    std::vector<Delivery> all{deliver(spec, "weight", {spec.integer("out"), spec.integer("in")}), deliver(spec, scales.name, scales.whole)};
    all.back().dtype = DType::f32;
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in");
    RELOADLAB_TRY(check_scaled_dtype(spec));
    RELOADLAB_TRY(must_divide(spec, "inputs", in, tp.size));
    if (spec.text("scales") == "block" && tp.size > 1 && in / tp.size % scale_block != 0)
      return Status(Code::data,
                    fmt::format("{}: {} inputs over {} ranks do not meet at blocks of {}", spec.name, in, tp.size, scale_block));
    return tp.size == 1 ? Status() : must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& scaled_row_parallel_linear() {
  static const ScaledRowParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
