// Y = X Wᵀ + b, the rows of W (outputs) split over ranks.
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

class ColumnParallelLinear final : public KindBase {
 public:
  ColumnParallelLinear()
      : KindBase("column_parallel_linear", "linear layer whose outputs are split over ranks",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs, split over ranks"},
                  bias_key(),
                  pad_to_key("pad_rows_to", "outputs are padded to a multiple of this before they are split"),
                  pad_to_key("pad_cols_to", "inputs are padded to a multiple of this"),
                  pad_value_key(),
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    const Piece rows = rows_of(spec, tp);
    if (delivery.slot == "bias") return place({rows.start}, {0}, {rows.used});
    return place({rows.start, 0}, {0, 0}, {rows.used, spec.integer("in")});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    const int64_t rows = round_up(out, spec.integer("pad_rows_to")) / tp.size;
    const int64_t columns = round_up(in, spec.integer("pad_cols_to"));
    const int64_t rows_used = std::clamp<int64_t>(out - rows * tp.rank, 0, rows);
    LayerPtr layer = make_layer(spec, tp, "ColumnParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, columns}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    pad(weight, 0, rows_used, spec.number("pad_value"));
    pad(weight, 1, in, spec.number("pad_value"));
    set_loader(weight, rule_loader(layer, LoadSplit{{{out, in}, 2}, 0}));
    if (!spec.flag("bias")) return layer;
    ParameterPtr bias = add_parameter(*layer, "bias", {rows}, spec.dtype);
    set_dim(bias, "output_dim", 0);
    pad(bias, 0, rows_used, spec.number("pad_value"));
    set_loader(bias, rule_loader(layer, LoadSplit{{{out}, 1}, 0}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, layer.spec.flag("bias")); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const Piece rows = rows_of(spec, tp);
    const int64_t in = spec.integer("in"), columns = round_up(in, spec.integer("pad_cols_to"));
    const double value = spec.number("pad_value");
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {rows.local, columns}, .dtype = spec.dtype}};
    if (rows.padded() || columns > in) slots[0].initial = value;
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {rows.local}, .dtype = spec.dtype});
    if (spec.flag("bias") && rows.padded()) slots[1].initial = value;
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    std::vector<Delivery> all{deliver(spec, "weight", {out, in})};
    if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {out}));
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t rows = round_up(spec.integer("out"), spec.integer("pad_rows_to"));
    RELOADLAB_TRY(must_divide(spec, "outputs (padded)", rows, tp.size));
    const bool plain = tp.size == 1 && rows == spec.integer("out") && spec.integer("in") % spec.integer("pad_cols_to") == 0;
    return plain ? Status() : must_have_loader(spec);
  }

 private:
  static Piece rows_of(const LayerSpec& spec, TensorParallel tp) {
    return piece_of(spec.integer("out"), round_up(spec.integer("out"), spec.integer("pad_rows_to")), tp);
  }
};

}  // namespace

const LayerKind& column_parallel_linear() {
  static const ColumnParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
