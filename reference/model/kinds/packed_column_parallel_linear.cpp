// Column-parallel linear layers, merged, whose checkpoint brings integers of 4 bits packed into words, as compressed-tensors stores them
// (quant/packed.h). Each part has four tensors; of each the ranks take their rows, but for the shape, which every rank loads whole, once
// for every part: the last one stays.
//
//   part [out, in]   weight_packed i32 [out, in/8] · weight_scale [out, in/g] · weight_zero_point i32 [out/8, in/g] · weight_shape i64 [2]
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/parts.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/kinds/stored_weight.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view shape_name = "weight_shape";

// One of the three tensors that are split: [rows of all parts / rows_packed, columns].
struct PackedColumnTensor {
  std::string_view name;
  std::string_view tensor_class;
  DType dtype;
  int64_t columns;
  int64_t rows_packed;
  std::vector<int64_t> outs_of(const LayerSpec& spec) const {
    std::vector<int64_t> outs = spec.integers("outs");
    for (int64_t& out : outs) out /= rows_packed;
    return outs;
  }
};

int64_t groups_of(const LayerSpec& spec) { return spec.integer("group") == 0 ? 1 : spec.integer("in") / spec.integer("group"); }

std::vector<PackedColumnTensor> packed_column_tensors_of(const LayerSpec& spec) {
  std::vector<PackedColumnTensor> all{{"weight_packed", "PackedvLLMParameter", DType::i32, spec.integer("in") / codes_per_word, 1},
                                      {"weight_scale", "GroupQuantScaleParameter", spec.dtype, groups_of(spec), 1}};
  if (spec.flag("zero_points")) all.push_back({"weight_zero_point", "PackedvLLMParameter", DType::i32, groups_of(spec), codes_per_word});
  return all;
}

int64_t packed_column_sum(const std::vector<int64_t>& values) { return std::accumulate(values.begin(), values.end(), int64_t{0}); }

class PackedColumnParallelLinear final : public KindBase {
 public:
  PackedColumnParallelLinear()
      : KindBase(
            "packed_column_parallel_linear", "column-parallel linear layers, merged, of packed int4 weights with scales",
            parts_keys({{.name = "group", .fallback = int64_t{32}, .minimum = 0, .about = "inputs that share a scale; 0: all"},
                        {.name = "zero_points", .type = KeyInfo::Type::boolean, .fallback = true, .about = "has packed zero points"}})) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    for (const PackedColumnTensor& tensor : packed_column_tensors_of(spec))
      if (tensor.name == delivery.slot) return place_part(spec, tensor.outs_of(spec), delivery, tensor.columns, tp);
    return place_whole(delivery.shape);
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "MergedColumnParallelLinear");
    for (const PackedColumnTensor& tensor : packed_column_tensors_of(spec)) {
      const std::vector<int64_t> outs = tensor.outs_of(spec);
      ParameterPtr made =
          add_parameter(*layer, tensor.name, {packed_column_sum(outs) / tp.size, tensor.columns}, tensor.dtype, tensor.tensor_class);
      set_dim(made, "output_dim", 0);
      set_dim(made, "input_dim", 1);
      set_loader(made, rule_loader(layer, LoadPart{tensor.columns, outs, part_shards(spec)}));
    }
    add_parameter(*layer, shape_name, {2}, DType::i64);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    return at::linear(input.to(at::kFloat), packed_weight(layer));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots;
    for (const PackedColumnTensor& tensor : packed_column_tensors_of(spec))
      slots.push_back({.name = std::string(tensor.name),
                       .shape = {packed_column_sum(spec.integers("outs")) / tensor.rows_packed / tp.size, tensor.columns},
                       .dtype = tensor.dtype});
    slots.push_back({.name = std::string(shape_name), .shape = {2}, .dtype = DType::i64});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    for (size_t part = 0; part < spec.integers("outs").size(); ++part) {
      const auto add = [&](std::string_view slot, Shape shape, DType dtype) {
        all.push_back(deliver(spec, slot, std::move(shape), part_name(spec, part), part_shard(spec, part)));
        all.back().dtype = dtype;
        const auto first = std::ranges::find(all, slot, &Delivery::slot);  // the shape is one tensor, which comes with each part
        if (slot == shape_name && part > 0) all.back().repeats = first->name;
      };
      for (const PackedColumnTensor& tensor : packed_column_tensors_of(spec)) {
        if (tensor.rows_packed > 1) add(shape_name, {2}, DType::i64);  // by the alphabet, as files have them
        add(tensor.name, {tensor.outs_of(spec)[part], tensor.columns}, tensor.dtype);
      }
      if (!spec.flag("zero_points")) add(shape_name, {2}, DType::i64);
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), group = spec.integer("group");
    RELOADLAB_TRY(check_parts(spec));
    if (in % codes_per_word != 0)
      return Status(Code::data, fmt::format("{}: {} inputs cannot be packed by {}", spec.name, in, codes_per_word));
    if (group > 0 && in % group != 0)
      return Status(Code::data, fmt::format("{}: {} inputs are no whole groups of {}", spec.name, in, group));
    for (int64_t out : spec.integers("outs")) {
      if (spec.flag("zero_points") && out % codes_per_word != 0)
        return Status(Code::data, fmt::format("{}: zero points of {} outputs cannot be packed by {}", spec.name, out, codes_per_word));
      RELOADLAB_TRY(must_divide(spec, "outputs of a part", out, tp.size));
      if (spec.flag("zero_points")) RELOADLAB_TRY(must_divide(spec, "words of zero points of a part", out / codes_per_word, tp.size));
    }
    return must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& packed_column_parallel_linear() {
  static const PackedColumnParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
