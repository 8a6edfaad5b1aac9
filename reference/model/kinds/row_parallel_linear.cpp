// Y = Σ over ranks of Xᵣ Wᵣᵀ, + b: the columns of W (inputs) split over ranks. The bias is replicated; rank 0's partial sum has it.
#include <ATen/core/Tensor.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

class RowParallelLinear final : public KindBase {
 public:
  RowParallelLinear()
      : KindBase("row_parallel_linear", "linear layer whose inputs are split over ranks; its forward is a partial sum",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs, split over ranks"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs"},
                  bias_key("has a bias, replicated"),
                  pad_to_key("pad_rows_to", "outputs are padded to a multiple of this"),
                  pad_to_key("pad_cols_to", "inputs are padded to a multiple of this before they are split"),
                  pad_value_key(),
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    if (delivery.slot == "bias") return place_whole(delivery.shape);
    const Piece columns = columns_of(spec, tp);
    return place({0, columns.start}, {0, 0}, {spec.integer("out"), columns.used});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    const int64_t rows = round_up(out, spec.integer("pad_rows_to"));
    const int64_t columns = round_up(in, spec.integer("pad_cols_to")) / tp.size;
    LayerPtr layer = make_layer(spec, tp, "RowParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, columns}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    pad(weight, 0, out, spec.number("pad_value"));
    pad(weight, 1, std::clamp<int64_t>(in - columns * tp.rank, 0, columns), spec.number("pad_value"));
    set_loader(weight, rule_loader(layer, LoadSplit{{{out, in}, 2}, 1}));
    if (!spec.flag("bias")) return layer;
    ParameterPtr bias = add_parameter(*layer, "bias", {rows}, spec.dtype);
    set_dim(bias, "output_dim", 0);
    pad(bias, 0, out, spec.number("pad_value"));
    set_loader(bias, rule_loader(layer, LoadSplit{{{out}, 1}}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return apply_linear(layer, input, layer.spec.flag("bias") && layer.tp.rank == 0);
  }
  bool is_partial(const LayerSpec&) const override { return true; }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    const Piece columns = columns_of(spec, tp);
    return example_values({3, spec.integer("in")}, seed).narrow(1, columns.start, columns.used);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t out = spec.integer("out"), rows = round_up(out, spec.integer("pad_rows_to"));
    const Piece columns = columns_of(spec, tp);
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {rows, columns.local}, .dtype = spec.dtype}};
    if (rows > out || columns.padded()) slots[0].initial = spec.number("pad_value");
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {rows}, .dtype = spec.dtype});
    if (spec.flag("bias") && rows > out) slots[1].initial = spec.number("pad_value");
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const int64_t in = spec.integer("in"), out = spec.integer("out");
    std::vector<Delivery> all{deliver(spec, "weight", {out, in})};
    if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {out}));
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t columns = round_up(spec.integer("in"), spec.integer("pad_cols_to"));
    RELOADLAB_TRY(must_divide(spec, "inputs (padded)", columns, tp.size));
    const bool plain = tp.size == 1 && columns == spec.integer("in") && spec.integer("out") % spec.integer("pad_rows_to") == 0;
    return plain ? Status() : must_have_loader(spec);
  }

 private:
  static Piece columns_of(const LayerSpec& spec, TensorParallel tp) {
    return piece_of(spec.integer("in"), round_up(spec.integer("in"), spec.integer("pad_cols_to")), tp);
  }
};

}  // namespace

const LayerKind& row_parallel_linear() {
  static const RowParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
