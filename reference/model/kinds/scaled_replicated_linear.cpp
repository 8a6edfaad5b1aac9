// Linear layers that every rank has whole and whose checkpoint brings 8-bit weights (e4m3 or i8: the layer's dtype) with their scales:
// projections into a latent space. What the weight stands for is weight · scale.
//
//   weight [out, in]   tensor   weight_scale [1]
//                      channel  weight_scale [out, 1]
//                      block    weight_scale_inv [⌈out/128⌉, ⌈in/128⌉]    blocks at the edges are cut: 576 outputs have 5 rows of them
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/kinds/stored_weight.h"

namespace reloadlab::model {
namespace {

struct ReplicatedScales {
  std::string_view name = "weight_scale";
  std::string_view tensor_class;
  Shape shape;
};

ReplicatedScales replicated_scales_of(const LayerSpec& spec) {
  const int64_t in = spec.integer("in"), out = spec.integer("out");
  const std::string& kind = spec.text("scales");
  if (kind == "tensor") return {.tensor_class = "PerTensorScaleParameter", .shape = {1}};
  if (kind == "channel") return {.tensor_class = "ChannelQuantScaleParameter", .shape = {out, 1}};
  return {.name = "weight_scale_inv", .tensor_class = "BlockQuantScaleParameter", .shape = {scale_blocks(out), scale_blocks(in)}};
}

class ScaledReplicatedLinear final : public KindBase {
 public:
  ScaledReplicatedLinear()
      : KindBase("scaled_replicated_linear", "linear layer of 8-bit weights that come with scales, which every rank has whole",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs"},
                  scales_key("what has a scale: the weight, each of its rows, or blocks of 128×128"),
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    LayerPtr layer = make_layer(spec, tp, "ReplicatedLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {out, in}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadSplit{{{out, in}, 2}}));
    const ReplicatedScales scales = replicated_scales_of(spec);
    ParameterPtr scale = add_parameter(*layer, scales.name, scales.shape, DType::f32, scales.tensor_class);
    const bool one = scales.shape.size() == 1;
    set_loader(scale, rule_loader(layer, LoadSplit{one ? WholeShape{{1}, 1} : WholeShape{{scales.shape[0], scales.shape[1]}, 2}}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return at::linear(input.to(at::kFloat),
                      layer.quant_method ? logical(layer, "weight") : scaled_weight(layer, replicated_scales_of(layer.spec).name));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    const ReplicatedScales scales = replicated_scales_of(spec);
    return {{.name = "weight", .shape = {spec.integer("out"), spec.integer("in")}, .dtype = spec.dtype},
            {.name = std::string(scales.name), .shape = scales.shape, .dtype = DType::f32}};
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const ReplicatedScales scales = replicated_scales_of(spec);
    std::vector<Delivery> all{deliver(spec, "weight", {spec.integer("out"), spec.integer("in")}), deliver(spec, scales.name, scales.shape)};
    all.back().dtype = DType::f32;
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel) const override { return check_scaled_dtype(spec); }
};

}  // namespace

const LayerKind& scaled_replicated_linear() {
  static const ScaledReplicatedLinear kind;
  return kind;
}

}  // namespace reloadlab::model
