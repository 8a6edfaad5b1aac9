// Layer normalization, replicated on every rank. Its tensors have the default loader.
#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

class Norm final : public KindBase {
 public:
  Norm()
      : KindBase("norm", "layer normalization, replicated",
                 {{.name = "hidden", .required = true, .minimum = 1, .about = "elements"},
                  bias_key(),
                  {.name = "eps", .type = KeyInfo::Type::number, .fallback = 1e-5, .about = "added to the variance"},
                  {.name = "rms",
                   .type = KeyInfo::Type::boolean,
                   .fallback = false,
                   .about = "divides by the root mean square, and takes no mean away"}}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, spec.flag("rms") ? "RMSNorm" : "LayerNorm");
    add_parameter(*layer, "weight", {spec.integer("hidden")}, spec.dtype);
    if (spec.flag("bias")) add_parameter(*layer, "bias", {spec.integer("hidden")}, spec.dtype);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor weight = logical(layer, "weight");
    const at::Tensor bias = layer.spec.flag("bias") ? logical(layer, "bias") : at::Tensor();
    const at::Tensor x = input.to(weight.scalar_type());
    const double eps = layer.spec.number("eps");
    if (!layer.spec.flag("rms")) return at::layer_norm(x, weight.sizes(), weight, bias, eps);
    const at::Tensor scaled = x * at::rsqrt((x * x).mean(-1, /*keepdim=*/true) + eps) * weight;
    return bias.defined() ? scaled + bias : scaled;
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("hidden")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {spec.integer("hidden")}, .dtype = spec.dtype}};
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {spec.integer("hidden")}, .dtype = spec.dtype});
    return slots;
  }
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all{deliver(spec, "weight", {spec.integer("hidden")})};
    if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {spec.integer("hidden")}));
    return all;
  }
  Status check_sizes(const LayerSpec&, TensorParallel) const override { return {}; }
};

}  // namespace

const LayerKind& norm() {
  static const Norm kind;
  return kind;
}

}  // namespace reloadlab::model
