// Several column-parallel linear layers over one input in one weight: each rank's weight holds its rows of part 0, then its rows of
// part 1, and so on (gate and up projections).
#include <ATen/core/Tensor.h>

#include <numeric>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/parts.h"
#include "reference/model/kinds/registry.h"

namespace reloadlab::model {
namespace {

class MergedColumnParallelLinear final : public KindBase {
 public:
  MergedColumnParallelLinear()
      : KindBase("merged_column_parallel_linear", "column-parallel linear layers over one input, merged into one weight",
                 parts_keys({bias_key()})) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    return place_part(spec, spec.integers("outs"), delivery, delivery.slot == "bias" ? 0 : spec.integer("in"), tp);
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t in = spec.integer("in"), rows = rows_of(spec) / tp.size;
    LayerPtr layer = make_layer(spec, tp, "MergedColumnParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, in}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadPart{in, spec.integers("outs"), part_shards(spec)}));
    if (!spec.flag("bias")) return layer;
    ParameterPtr bias = add_parameter(*layer, "bias", {rows}, spec.dtype);
    set_dim(bias, "output_dim", 0);
    set_loader(bias, rule_loader(layer, LoadPart{0, spec.integers("outs"), part_shards(spec)}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, layer.spec.flag("bias")); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("in")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t rows = rows_of(spec) / tp.size;
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {rows, spec.integer("in")}, .dtype = spec.dtype}};
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {rows}, .dtype = spec.dtype});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const std::vector<int64_t>& outs = spec.integers("outs");
    std::vector<Delivery> all;
    for (size_t part = 0; part < outs.size(); ++part) {
      const std::string prefix = part_name(spec, part), shard = part_shard(spec, part);
      all.push_back(deliver(spec, "weight", {outs[part], spec.integer("in")}, prefix, shard));
      if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {outs[part]}, prefix, shard));
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    RELOADLAB_TRY(check_parts(spec));
    for (int64_t out : spec.integers("outs")) RELOADLAB_TRY(must_divide(spec, "outputs of a part", out, tp.size));
    return must_have_loader(spec);
  }

 private:
  static int64_t rows_of(const LayerSpec& spec) {
    const std::vector<int64_t>& outs = spec.integers("outs");
    return std::accumulate(outs.begin(), outs.end(), int64_t{0});
  }
};

}  // namespace

const LayerKind& merged_column_parallel_linear() {
  static const MergedColumnParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
