// Column-parallel linear layers, merged, whose checkpoint brings 8-bit weights (e4m3 or i8: the layer's dtype) with their scales:
//
//   scales      of a part [out, in]                  of the layer on a rank               rows of a part
//   tensor      weight_scale [1]                     [parts], whole on every rank         all have one scale
//   channel     weight_scale [out, 1]                [rows, 1]                            each has its own
//   block       weight_scale_inv [⌈out/128⌉, ⌈in/128⌉]   [⌈rows/128⌉, ⌈in/128⌉]            in 128×128; parts and ranks meet at blocks
//
// What the weight stands for is weight · scale. With scales a channel that is also what kernels read; the others have post-load steps
// (quant/loaded_fp8_….cpp).
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

#include <numeric>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/parts.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/kinds/stored_weight.h"

namespace reloadlab::model {
namespace {

int64_t column_sum(const std::vector<int64_t>& values) { return std::accumulate(values.begin(), values.end(), int64_t{0}); }

// The scales of a layer: as many rows of them for each part, and so many columns (0: one dimension).
struct ColumnScales {
  std::string_view name = "weight_scale";
  std::string_view tensor_class;
  std::vector<int64_t> outs;
  int64_t columns = 0;
  bool split = true;  // over ranks
};

ColumnScales column_scales_of(const LayerSpec& spec) {
  ColumnScales scales{.outs = spec.integers("outs")};
  const std::string& kind = spec.text("scales");
  if (kind == "tensor") {
    scales.tensor_class = "PerTensorScaleParameter";
    scales.outs.assign(scales.outs.size(), 1);
    scales.split = false;
  } else if (kind == "channel") {
    scales.tensor_class = "ChannelQuantScaleParameter";
    scales.columns = 1;
  } else {
    scales.name = "weight_scale_inv";
    scales.tensor_class = "BlockQuantScaleParameter";
    for (int64_t& out : scales.outs) out = scale_blocks(out);
    scales.columns = scale_blocks(spec.integer("in"));
  }
  return scales;
}

// A scale for each part, whole on every rank: loaded as if there were one rank.
struct LoadScale {
  LoadPart part;
  Status operator()(TensorParallel, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    return part({}, destination, loaded, args);
  }
};

Shape with_columns(int64_t rows, int64_t columns) { return columns == 0 ? Shape{rows} : Shape{rows, columns}; }

class ScaledColumnParallelLinear final : public KindBase {
 public:
  ScaledColumnParallelLinear()
      : KindBase("scaled_column_parallel_linear", "column-parallel linear layers, merged, of 8-bit weights that come with scales",
                 parts_keys({scales_key("what has a scale: a part's weight, each of its rows, or blocks of 128×128")})) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    if (delivery.slot == "weight") return place_part(spec, spec.integers("outs"), delivery, spec.integer("in"), tp);
    const ColumnScales scales = column_scales_of(spec);
    return place_part(spec, scales.outs, delivery, scales.columns, scales.split ? tp : TensorParallel());
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), rows = column_sum(spec.integers("outs")) / tp.size;
    const ColumnScales scales = column_scales_of(spec);
    LayerPtr layer = make_layer(spec, tp, "MergedColumnParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, in}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadPart{in, spec.integers("outs"), part_shards(spec)}));
    const int64_t scale_rows = column_sum(scales.outs) / (scales.split ? tp.size : 1);
    ParameterPtr scale = add_parameter(*layer, scales.name, with_columns(scale_rows, scales.columns), DType::f32, scales.tensor_class);
    const LoadPart part{scales.columns, scales.outs, part_shards(spec)};
    set_loader(scale, scales.split ? rule_loader(layer, part) : rule_loader(layer, LoadScale{part}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const bool is_made = layer.quant_method != nullptr;
    return at::linear(input.to(at::kFloat), is_made ? logical(layer, "weight") : scaled_weight(layer, column_scales_of(layer.spec).name));
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const ColumnScales scales = column_scales_of(spec);
    const int64_t rows = column_sum(scales.outs) / (scales.split ? tp.size : 1);
    return {{.name = "weight", .shape = {column_sum(spec.integers("outs")) / tp.size, spec.integer("in")}, .dtype = spec.dtype},
            {.name = std::string(scales.name), .shape = with_columns(rows, scales.columns), .dtype = DType::f32}};
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const std::vector<int64_t>& outs = spec.integers("outs");
    const ColumnScales scales = column_scales_of(spec);
    std::vector<Delivery> all;
    for (size_t part = 0; part < outs.size(); ++part) {
      const std::string prefix = part_name(spec, part), shard = part_shard(spec, part);
      all.push_back(deliver(spec, "weight", {outs[part], spec.integer("in")}, prefix, shard));
      all.push_back(deliver(spec, scales.name, with_columns(scales.outs[part], scales.columns), prefix, shard));
      all.back().dtype = DType::f32;
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const std::vector<int64_t>& outs = spec.integers("outs");
    RELOADLAB_TRY(check_parts(spec));
    RELOADLAB_TRY(check_scaled_dtype(spec));
    for (int64_t out : outs) RELOADLAB_TRY(must_divide(spec, "outputs of a part", out, tp.size));
    if (spec.text("scales") == "block" && (outs.size() > 1 || tp.size > 1))
      for (int64_t out : outs)
        if (out / tp.size % scale_block != 0)
          return Status(Code::data,
                        fmt::format("{}: {} outputs over {} ranks do not meet at blocks of {}", spec.name, out, tp.size, scale_block));
    return must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& scaled_column_parallel_linear() {
  static const ScaledColumnParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
