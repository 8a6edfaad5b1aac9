// A table of rows, replicated on every rank (position and token-type embeddings).
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

// On a CPU the lookup throws for a row that is not there. On a device it fails later, which on a GPU would end all use of it by this
// process; and a reload may have left anything in the buffer.
void refuse_missing_rows(const at::Tensor& ids, int64_t rows) {
  if (ids.is_cpu() || ids.is_meta()) return;
  TORCH_CHECK_INDEX(ids.ge(0).logical_and(ids.lt(rows)).all().item<bool>(), "index out of range in self");
}

class Embedding final : public KindBase {
 public:
  Embedding()
      : KindBase("embedding", "a table of rows, replicated",
                 {{.name = "rows", .required = true, .minimum = 1, .about = "rows"},
                  {.name = "hidden", .required = true, .minimum = 1, .about = "elements of a row"},
                  {.name = "ids",
                   .type = KeyInfo::Type::boolean,
                   .fallback = false,
                   .about = "has the buffer position_ids [1, rows], int64 and not persistent, through which the forward looks rows up"}}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }
  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "Embedding");
    add_parameter(*layer, "weight", {spec.integer("rows"), spec.integer("hidden")}, spec.dtype);
    if (!spec.flag("ids")) return layer;
    const ParameterPtr ids = add_buffer(*layer, "position_ids", {1, spec.integer("rows")}, DType::i64, /*persistent=*/false);
    if (ids->tensor.is_meta()) return layer;
    at::Tensor positions = ids->tensor.select(0, 0);
    at::arange_out(positions, spec.integer("rows"));
    return layer;
  }
  bool is_capturable(const LayerSpec& spec) const override { return !spec.flag("ids"); }
  at::Tensor forward(Layer& layer, const at::Tensor& rows) const override {
    if (!layer.spec.flag("ids")) return at::embedding(logical(layer, "weight"), rows);
    const at::Tensor ids = layer.tensor("position_ids")->tensor.select(0, 0).index_select(0, rows);
    refuse_missing_rows(ids, layer.spec.integer("rows"));
    return at::embedding(logical(layer, "weight"), ids);
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_indices(5, spec.integer("rows"), seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {spec.integer("rows"), spec.integer("hidden")}, .dtype = spec.dtype}};
    if (spec.flag("ids"))
      slots.push_back({.name = "position_ids",
                       .kind = SlotSpec::Kind::buffer,
                       .shape = {1, spec.integer("rows")},
                       .dtype = DType::i64,
                       .persistent = false,
                       .initial = 0,
                       .initial_step = 1});
    return slots;
  }
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    return {deliver(spec, "weight", {spec.integer("rows"), spec.integer("hidden")})};
  }
  Status check_sizes(const LayerSpec&, TensorParallel) const override { return {}; }
};

}  // namespace

const LayerKind& embedding() {
  static const Embedding kind;
  return kind;
}

}  // namespace reloadlab::model
