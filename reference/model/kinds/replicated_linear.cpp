// Y = X Wᵀ + b, all of it on every rank: projections into a latent space that ranks share, and routers. With `captured` the first
// forward makes a kernel that reads the tensors of that time for good, as compiled kernels and captured graphs do.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr const char* correction = "e_score_correction_bias";

bool corrects(const LayerSpec& spec) { return spec.flag("correction_bias"); }

// Of a router, the scores that experts are chosen by.
at::Tensor project(const Layer& layer, const at::Tensor& input) {
  const at::Tensor output = apply_linear(layer, input, layer.spec.flag("bias"));
  return corrects(layer.spec) ? output.sigmoid() + compute_copy(held(layer, correction)) : output;
}

// What the kernel keeps is a layer of its own, which holds the same tensors under handles that nobody exchanges.
void make_kernel(Layer& layer) {
  auto kept = std::make_shared<Layer>(layer.spec, layer.class_name);
  kept->kind = layer.kind;
  kept->tp = layer.tp;
  kept->quant_method = layer.quant_method;
  for_each_tensor(layer, [&](const Slot& slot, bool) {
    kept->parameters.set(slot.name, std::make_shared<Parameter>(Parameter{.tensor = slot.handle->tensor}));
    layer.extra.tensors["kernel:" + slot.name] = slot.handle->tensor;
  });
  layer.extra.kernel = [kept](const at::Tensor& input) { return project(*kept, input); };
}

class ReplicatedLinear final : public KindBase {
 public:
  ReplicatedLinear()
      : KindBase("replicated_linear", "linear layer that every rank has whole",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs"},
                  bias_key(),
                  {.name = "correction_bias",
                   .type = KeyInfo::Type::boolean,
                   .fallback = false,
                   .about = "is a router with e_score_correction_bias [out], float32, which it adds to its scores"},
                  {.name = "captured",
                   .type = KeyInfo::Type::boolean,
                   .fallback = false,
                   .about = "the first forward makes a kernel that reads the tensors of that time from then on"},
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }

  // The correction is a plain parameter that the router's owner hangs onto it, so it has the default loader.
  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    LayerPtr layer = make_layer(spec, tp, "ReplicatedLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {out, in}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadSplit{{{out, in}, 2}}));
    if (spec.flag("bias")) {
      ParameterPtr bias = add_parameter(*layer, "bias", {out}, spec.dtype);
      set_dim(bias, "output_dim", 0);
      set_loader(bias, rule_loader(layer, LoadSplit{{{out}, 1}}));
    }
    if (corrects(spec)) add_parameter(*layer, correction, {out}, DType::f32);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    if (layer.spec.flag("captured") && !layer.extra.kernel) make_kernel(layer);
    return layer.extra.kernel ? layer.extra.kernel(input) : project(layer, input);
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    const int64_t out = spec.integer("out");
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {out, spec.integer("in")}, .dtype = spec.dtype}};
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {out}, .dtype = spec.dtype});
    if (corrects(spec)) slots.push_back({.name = correction, .shape = {out}, .dtype = DType::f32});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const int64_t out = spec.integer("out");
    std::vector<Delivery> all{deliver(spec, "weight", {out, spec.integer("in")})};
    if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {out}));
    if (!corrects(spec)) return all;
    all.push_back(deliver(spec, correction, {out}));
    all.back().dtype = DType::f32;
    return all;
  }

  Status check_sizes(const LayerSpec&, TensorParallel) const override { return {}; }
};

}  // namespace

const LayerKind& replicated_linear() {
  static const ReplicatedLinear kind;
  return kind;
}

}  // namespace reloadlab::model
