// Query, key and value projections in one weight, heads split over ranks. With fewer key-value heads than ranks each rank has one of
// them, and neighbouring ranks hold the same one:
//
//   8 heads, 2 kv heads, 4 ranks:   rank 0  q0 q1 | k0 | v0     rank 2  q4 q5 | k1 | v1
//                                   rank 1  q2 q3 | k0 | v0     rank 3  q6 q7 | k1 | v1
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

struct LoadHeads {
  int64_t hidden;  // 0: a bias
  int64_t heads, kv_heads, head_dim;

  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    return copy_boxes(boxes(tp, destination.tensor, loaded, args));
  }
  Result<LoadBoxes> boxes(TensorParallel tp, const at::Tensor& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    const std::string shard = args.shard.value_or("");
    if (shard != "q" && shard != "k" && shard != "v") return Status(Code::failed, fmt::format("shard \"{}\" is none of q, k, v", shard));
    const int64_t all = (shard == "q" ? heads : kv_heads) * head_dim;
    RELOADLAB_TRY(expect_shape(loaded, hidden > 0 ? WholeShape{{all, hidden}, 2} : WholeShape{{all}, 1}));
    // Rows of the destination: the query heads, and two equal blocks for key and value.
    const int64_t q_rows = heads / tp.size * head_dim;
    const int64_t kv_rows = (destination.size(0) - q_rows) / 2;
    Range range{.dim = 0, .target = 0, .source = q_rows * tp.rank, .length = q_rows};
    const int64_t replicas = std::max<int64_t>(1, tp.size / kv_heads);
    if (shard != "q")
      range = {.dim = 0, .target = q_rows + (shard == "v" ? kv_rows : 0), .source = kv_rows * (tp.rank / replicas), .length = kv_rows};
    return LoadBoxes{box_of(Part(destination), loaded, range)};
  }
};

int64_t head_dim_of(const LayerSpec& spec) {
  const int64_t given = spec.integer("head_dim");
  return given > 0 ? given : spec.integer("hidden") / spec.integer("heads");
}

class QkvParallelLinear final : public KindBase {
 public:
  QkvParallelLinear()
      : KindBase("qkv_parallel_linear", "query, key and value projections merged into one weight, heads split over ranks",
                 {{.name = "hidden", .required = true, .minimum = 1, .about = "inputs"},
                  {.name = "heads", .required = true, .minimum = 1, .about = "query heads, split over ranks"},
                  {.name = "kv_heads",
                   .minimum = 0,
                   .about = "key-value heads, split over ranks or, when fewer, replicated; 0: as many as heads"},
                  {.name = "head_dim", .minimum = 0, .about = "elements of a head; 0: hidden / heads"},
                  bias_key(),
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    const Heads heads = heads_of(spec, tp.size);
    const bool is_q = *delivery.shard == "q";
    // The first head of the delivered tensor that this rank has, and how many.
    const int64_t first = is_q ? heads.q * tp.rank : tp.rank * kv_heads_of(spec) / tp.size;
    const int64_t count = is_q ? heads.q : heads.kv;
    const int64_t target = is_q ? 0 : *delivery.shard == "k" ? heads.q : heads.q + heads.kv;
    const int64_t dim = head_dim_of(spec);
    if (delivery.slot == "bias") return place({first * dim}, {target * dim}, {count * dim});
    return place({first * dim, 0}, {target * dim, 0}, {count * dim, spec.integer("hidden")});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t hidden = spec.integer("hidden"), heads = spec.integer("heads"), kv_heads = kv_heads_of(spec),
                  head_dim = head_dim_of(spec);
    const int64_t kv_local = kv_heads >= tp.size ? kv_heads / tp.size : 1;
    const int64_t rows = (heads / tp.size + 2 * kv_local) * head_dim;
    LayerPtr layer = make_layer(spec, tp, "QKVParallelLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, hidden}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_dim(weight, "input_dim", 1);
    set_loader(weight, rule_loader(layer, LoadHeads{hidden, heads, kv_heads, head_dim}));
    if (!spec.flag("bias")) return layer;
    ParameterPtr bias = add_parameter(*layer, "bias", {rows}, spec.dtype);
    set_dim(bias, "output_dim", 0);
    set_loader(bias, rule_loader(layer, LoadHeads{0, heads, kv_heads, head_dim}));
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, layer.spec.flag("bias")); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("hidden")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const Heads heads = heads_of(spec, tp.size);
    const int64_t rows = (heads.q + 2 * heads.kv) * head_dim_of(spec);
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {rows, spec.integer("hidden")}, .dtype = spec.dtype}};
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {rows}, .dtype = spec.dtype});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    for (const char* shard : {"q", "k", "v"}) {
      const int64_t rows = (*shard == 'q' ? spec.integer("heads") : kv_heads_of(spec)) * head_dim_of(spec);
      const std::string prefix = sibling(spec.name, std::string(shard) + "_proj");
      all.push_back(deliver(spec, "weight", {rows, spec.integer("hidden")}, prefix, shard));
      if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {rows}, prefix, shard));
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t heads = spec.integer("heads"), kv_heads = kv_heads_of(spec);
    RELOADLAB_TRY(must_divide(spec, "heads", heads, tp.size));
    if (spec.integer("head_dim") == 0 && spec.integer("hidden") % heads != 0)
      return Status(Code::data,
                    fmt::format("{}: hidden {} is no multiple of {} heads: give head_dim", spec.name, spec.integer("hidden"), heads));
    if (heads % kv_heads != 0) return Status(Code::data, fmt::format("{}: {} heads cannot share {} kv heads", spec.name, heads, kv_heads));
    if (kv_heads % tp.size != 0 && tp.size % kv_heads != 0)
      return Status(Code::data,
                    fmt::format("{}: {} kv heads can neither be split over nor replicated on {} ranks", spec.name, kv_heads, tp.size));
    return must_have_loader(spec);
  }

 private:
  struct Heads {
    int64_t q, kv;  // on one rank
  };
  static int64_t kv_heads_of(const LayerSpec& spec) {
    const int64_t given = spec.integer("kv_heads");
    return given > 0 ? given : spec.integer("heads");
  }
  static Heads heads_of(const LayerSpec& spec, int ranks) {
    return {spec.integer("heads") / ranks, std::max<int64_t>(1, kv_heads_of(spec) / ranks)};
  }
};

}  // namespace

const LayerKind& qkv_parallel_linear() {
  static const QkvParallelLinear kind;
  return kind;
}

}  // namespace reloadlab::model
