// Row-parallel linear layers whose checkpoint brings integers of 4 bits packed into words, as compressed-tensors stores them
// (quant/packed.h). The ranks take their columns, of words and of groups; where all inputs share a scale every rank has all scales.
//
//   weight [out, in]   weight_packed i32 [out, in/8] · weight_scale [out, in/g] · weight_zero_point i32 [out/8, in/g] · weight_shape i64
//   [2] on a rank                        [out, in/8/ranks]            [out, in/g/ranks]              [out/8, in/g/ranks]            [2]
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/kinds/stored_weight.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {
namespace {

// One of the layer's tensors, as in the checkpoint.
struct PackedRowTensor {
  std::string_view name;
  std::string_view tensor_class;
  DType dtype;
  Shape whole;
  bool split;  // its columns, over ranks
  Shape on_rank(int ranks) const { return split ? Shape{whole[0], whole[1] / ranks} : whole; }
};

std::vector<PackedRowTensor> packed_row_tensors_of(const LayerSpec& spec) {
  const int64_t in = spec.integer("in"), out = spec.integer("out"), group = spec.integer("group"), groups = group == 0 ? 1 : in / group;
  std::vector<PackedRowTensor> all{{"weight_packed", "PackedvLLMParameter", DType::i32, {out, in / codes_per_word}, true},
                                   {"weight_scale", "GroupQuantScaleParameter", spec.dtype, {out, groups}, group > 0},
                                   {"weight_shape", "Parameter", DType::i64, {2}, false}};
  if (spec.flag("zero_points"))
    all.push_back({"weight_zero_point", "PackedvLLMParameter", DType::i32, {out / codes_per_word, groups}, group > 0});
  return all;
}

class PackedRowParallelLinear final : public KindBase {
 public:
  PackedRowParallelLinear()
      : KindBase("packed_row_parallel_linear", "row-parallel linear layer of packed int4 weights with scales",
                 {{.name = "in", .required = true, .minimum = 1, .about = "inputs, split over ranks"},
                  {.name = "out", .required = true, .minimum = 1, .about = "outputs"},
                  {.name = "group", .fallback = int64_t{32}, .minimum = 0, .about = "inputs that share a scale; 0: all"},
                  {.name = "zero_points", .type = KeyInfo::Type::boolean, .fallback = true, .about = "has packed zero points"},
                  loader_key()}) {}

  bool is_partial(const LayerSpec&) const override { return true; }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    for (const PackedRowTensor& tensor : packed_row_tensors_of(spec)) {
      if (tensor.name != delivery.slot || !tensor.split) continue;
      const Piece columns = piece_of(delivery.shape[1], delivery.shape[1], tp);
      return place({0, columns.start}, {0, 0}, {delivery.shape[0], columns.local});
    }
    return place_whole(delivery.shape);
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "RowParallelLinear");
    for (const PackedRowTensor& tensor : packed_row_tensors_of(spec)) {
      ParameterPtr made = add_parameter(*layer, tensor.name, tensor.on_rank(tp.size), tensor.dtype, tensor.tensor_class);
      if (tensor.whole.size() < 2) continue;  // the shape has the default loader
      set_dim(made, "output_dim", 0);
      set_dim(made, "input_dim", 1);
      set_loader(made,
                 rule_loader(layer, LoadSplit{{{tensor.whole[0], tensor.whole[1]}, 2}, tensor.split ? int64_t{1} : LoadSplit::replicated}));
    }
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return at::linear(input.to(at::kFloat), packed_weight(layer));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    const Piece columns = piece_of(spec.integer("in"), spec.integer("in"), tp);
    return example_values({3, spec.integer("in")}, seed).narrow(1, columns.start, columns.local);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots;
    for (const PackedRowTensor& tensor : packed_row_tensors_of(spec))
      slots.push_back({.name = std::string(tensor.name), .shape = tensor.on_rank(tp.size), .dtype = tensor.dtype});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    for (const PackedRowTensor& tensor : packed_row_tensors_of(spec)) {
      all.push_back(deliver(spec, tensor.name, tensor.whole));
      all.back().dtype = tensor.dtype;
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const auto refuse = [&](std::string what) { return Status(Code::data, spec.name + ": " + std::move(what)); };
    const int64_t in = spec.integer("in"), out = spec.integer("out"), group = spec.integer("group");
    RELOADLAB_TRY(must_divide(spec, "inputs", in, tp.size));
    const int64_t share = in / tp.size;
    if (share % codes_per_word != 0) return refuse(fmt::format("{} inputs of a rank cannot be packed by {}", share, codes_per_word));
    if (group > 0 && share % group != 0) return refuse(fmt::format("{} inputs of a rank are no whole groups of {}", share, group));
    if (spec.flag("zero_points") && out % codes_per_word != 0)
      return refuse(fmt::format("zero points of {} outputs cannot be packed by {}", out, codes_per_word));
    return tp.size == 1 ? Status() : must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& packed_row_parallel_linear() {
  static const PackedRowParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
