// A state-space mixer: A, dt and D, each split over ranks. A's loader is composed: it copies, and then transforms A in place, as
// engines turn A_log into A. Whoever counts elements copied counts A twice.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

class Composed final : public KindBase {
 public:
  Composed()
      : KindBase("composed", "state-space mixer whose loader copies and then transforms in place",
                 {{.name = "size", .required = true, .minimum = 1, .about = "elements of each of A, dt and D, split over ranks"},
                  {.name = "transform",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("negative_exp"),
                   .about = "what the loader makes of A after copying it: -exp(A), or -A",
                   .choices = "negative_exp|negate"},
                  {.name = "order",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("a_first"),
                   .about = "place of A among the layer's deliveries",
                   .choices = "a_first|a_last"},
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery&, TensorParallel tp) const override {
    const Piece piece = piece_of(spec.integer("size"), spec.integer("size"), tp);
    return place({piece.start}, {0}, {piece.local});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const LoadSplit split{{{spec.integer("size")}, 1}, 0};
    LayerPtr layer = make_layer(spec, tp, "MambaMixer");
    for (const char* name : {"A", "dt", "D"}) {
      ParameterPtr parameter = add_parameter(*layer, name, {spec.integer("size") / tp.size}, spec.dtype);
      const bool is_a = *name == 'A';
      set_loader(parameter,
                 is_a ? rule_loader(layer, LoadTransformed{split, spec.text("transform") == "negative_exp"}) : rule_loader(layer, split));
    }
    return layer;
  }

  int64_t loader_scratch_bytes(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp, Operators) const override {
    return delivery.slot == "A" ? spec.integer("size") / tp.size * dtype_size(DType::f32) : 0;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return input.to(at::kFloat) * compute_copy(held(layer, "dt")) * compute_copy(held(layer, "A")) + compute_copy(held(layer, "D"));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    return example_values({3, spec.integer("size") / tp.size}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const Shape shape{spec.integer("size") / tp.size};
    const auto transform = spec.text("transform") == "negate" ? SlotSpec::Transform::negate : SlotSpec::Transform::negative_exp;
    return {{.name = "A", .shape = shape, .dtype = spec.dtype, .transform = transform},
            {.name = "dt", .shape = shape, .dtype = spec.dtype},
            {.name = "D", .shape = shape, .dtype = spec.dtype}};
  }
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const Shape shape{spec.integer("size")};
    const Delivery a = deliver(spec, "A", shape), dt = deliver(spec, "dt", shape), d = deliver(spec, "D", shape);
    return spec.text("order") == "a_first" ? std::vector{a, dt, d} : std::vector{dt, d, a};
  }
  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    if (spec.dtype != DType::f64 && spec.dtype != DType::f32 && spec.dtype != DType::f16 && spec.dtype != DType::bf16)
      return Status(Code::data, spec.name + ": the transform needs f64, f32, f16 or bf16");
    RELOADLAB_TRY(must_divide(spec, "elements", spec.integer("size"), tp.size));
    return must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& composed() {
  static const Composed kind;
  return kind;
}

}  // namespace reloadlab::model
