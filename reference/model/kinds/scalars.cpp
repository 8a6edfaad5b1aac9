// A weight with one-element scales and other small companions, as quantized checkpoints bring them. The scales have the default
// loader, which fills them from the host, so whoever counts copies counts nothing for them.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr const char* scale_names[] = {"weight_scale", "input_scale"};

class Scalars final : public KindBase {
 public:
  Scalars()
      : KindBase("scalars", "a weight with one-element scales and a small shape tensor",
                 {{.name = "rows", .required = true, .minimum = 1, .about = "rows of the weight, split over ranks"},
                  {.name = "columns", .required = true, .minimum = 1, .about = "columns of the weight"},
                  {.name = "scales",
                   .fallback = int64_t{1},
                   .minimum = 0,
                   .about = "one-element float32 scales: weight_scale, and with 2 input_scale"},
                  {.name = "scale_dims", .fallback = int64_t{1}, .minimum = 0, .about = "shape of the scales: 0 is [], 1 is [1]"},
                  {.name = "shape_deliveries",
                   .minimum = 0,
                   .about = "how often a checkpoint has weight_shape [2], an int64 tensor: 0 there is none, 1, or 3 (once for each of q, k "
                            "and v, with equal values)"},
                  {.name = "trailing", .minimum = 0, .about = "elements of a last small parameter, zero_point; 0: there is none"},
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    if (delivery.slot != "weight") return place_whole(delivery.shape);
    const Piece rows = piece_of(spec.integer("rows"), spec.integer("rows"), tp);
    return place({rows.start, 0}, {0, 0}, {rows.local, spec.integer("columns")});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t rows = spec.integer("rows"), columns = spec.integer("columns");
    LayerPtr layer = make_layer(spec, tp, "ScaledLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows / tp.size, columns}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_loader(weight, rule_loader(layer, LoadSplit{{{rows, columns}, 2}, 0}));
    const Shape scale_shape(static_cast<size_t>(spec.integer("scale_dims")), 1);
    for (int64_t i = 0; i < spec.integer("scales"); ++i)
      add_parameter(*layer, scale_names[i], scale_shape, DType::f32, "PerTensorScaleParameter");
    if (spec.integer("shape_deliveries") > 0) add_parameter(*layer, "weight_shape", {2}, DType::i64);
    if (spec.integer("trailing") > 0) add_parameter(*layer, "zero_point", {spec.integer("trailing")}, spec.dtype);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    at::Tensor output = apply_linear(layer, input, false);
    for (int64_t i = 0; i < layer.spec.integer("scales"); ++i) output = output * compute_copy(held(layer, scale_names[i]));
    return output;
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("columns")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots{
        {.name = "weight", .shape = {spec.integer("rows") / tp.size, spec.integer("columns")}, .dtype = spec.dtype}};
    for (int64_t i = 0; i < spec.integer("scales"); ++i)
      slots.push_back({.name = scale_names[i], .shape = scale_shape(spec), .dtype = DType::f32});
    if (spec.integer("shape_deliveries") > 0) slots.push_back({.name = "weight_shape", .shape = {2}, .dtype = DType::i64});
    if (spec.integer("trailing") > 0) slots.push_back({.name = "zero_point", .shape = {spec.integer("trailing")}, .dtype = spec.dtype});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    const int64_t times = spec.integer("shape_deliveries");
    for (int64_t i = 0; i < times; ++i) {
      const std::string shard(times == 1 ? "" : std::string(1, "qkv"[i]));
      all.push_back(deliver(spec, "weight_shape", {2}, times == 1 ? spec.name : spec.name + "." + shard + "_proj", shard));
      all.back().dtype = DType::i64;
      if (i > 0) all.back().repeats = all.front().name;
    }
    all.push_back(deliver(spec, "weight", {spec.integer("rows"), spec.integer("columns")}));
    for (int64_t i = 0; i < spec.integer("scales"); ++i) {
      all.push_back(deliver(spec, scale_names[i], scale_shape(spec)));
      all.back().dtype = DType::f32;
    }
    if (spec.integer("trailing") > 0) all.push_back(deliver(spec, "zero_point", {spec.integer("trailing")}));
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const auto at_most = [&](std::string_view key, int64_t most) {
      if (spec.integer(key) <= most) return Status();
      return Status(Code::data, fmt::format("{}: {} is {}, expected at most {}", spec.name, key, spec.integer(key), most));
    };
    RELOADLAB_TRY(at_most("scales", 2));
    RELOADLAB_TRY(at_most("scale_dims", 1));
    RELOADLAB_TRY(at_most("shape_deliveries", 3));
    if (spec.integer("shape_deliveries") == 2) return Status(Code::data, spec.name + ": shape_deliveries is 2, expected 0, 1 or 3");
    RELOADLAB_TRY(must_divide(spec, "rows", spec.integer("rows"), tp.size));
    return tp.size == 1 ? Status() : must_have_loader(spec);
  }

 private:
  static Shape scale_shape(const LayerSpec& spec) { return Shape(static_cast<size_t>(spec.integer("scale_dims")), 1); }
};

}  // namespace

const LayerKind& scalars() {
  static const Scalars kind;
  return kind;
}

}  // namespace reloadlab::model
