// The class that engines leave out of a reload: a constant transform, its tensor set by the constructor.
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr double constant = 0.5;

class Hadamard final : public KindBase {
 public:
  Hadamard()
      : KindBase("hadamard", "HadamardTransform, the class that a reload leaves out",
                 {{.name = "size", .required = true, .minimum = 1, .about = "rows and columns of its tensor"},
                  {.name = "delivered", .type = KeyInfo::Type::boolean, .fallback = false, .about = "checkpoints have its tensor"}}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }
  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "HadamardTransform");
    fill(add_parameter(*layer, "weight", {spec.integer("size"), spec.integer("size")}, spec.dtype), constant);
    return layer;
  }
  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, false); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("size")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    return {{.name = "weight", .shape = {spec.integer("size"), spec.integer("size")}, .dtype = spec.dtype, .initial = constant}};
  }
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    if (!spec.flag("delivered")) return {};
    return {deliver(spec, "weight", {spec.integer("size"), spec.integer("size")})};
  }
  Status check_sizes(const LayerSpec&, TensorParallel) const override { return {}; }
};

}  // namespace

const LayerKind& hadamard() {
  static const Hadamard kind;
  return kind;
}

}  // namespace reloadlab::model
