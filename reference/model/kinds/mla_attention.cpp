// Latent attention with absorbed projections. Checkpoints bring one matrix, kv_b_proj, which for each head holds the rows that make
// keys out of the latent vector above those that make values. Kernels never multiply by it: a post-load step, after all other
// layers', derives from it what goes into the query and what goes behind the attention:
//
//   kv_b_proj, head h   [nope + v, rank]   →   W_UK_T[h] [nope, rank]   its upper rows
//                                              W_UV[h]   [rank, v]      its lower rows, transposed
//
// Both are plain attributes that each run of the step makes anew, as engines do: nothing registers them. Of a quantized projection the
// step reads what it stands for, scales applied in single precision, and rounds that to the layer's element type once
// (get_and_maybe_dequant_weights in vllm/model_executor/layers/quantization/utils/quant_utils.py): the matrices are never quantized.
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {
namespace {

constexpr const char* own_slot = "kv_b_proj_weight";
constexpr const char* into_query = "W_UK_T";
constexpr const char* behind = "W_UV";
constexpr int64_t mla_tokens = 3;

struct Sizes {
  int64_t heads, nope, v, rank;
  Sizes(const LayerSpec& spec, int ranks)
      : heads(spec.integer("heads") / ranks),
        nope(spec.integer("qk_nope_head_dim")),
        v(spec.integer("v_head_dim")),
        rank(spec.integer("kv_lora_rank")) {}
  int64_t rows() const { return heads * (nope + v); }
};

bool mla_has_own(const LayerSpec& spec) { return spec.text("kv_b").empty(); }

at::Tensor projection_of(const Layer& source, std::string_view slot) {
  const at::Tensor& tensor = held(source, slot);
  return source.quant_method ? source.quant_method->compute_value(source, slot) : tensor;
}

// The slot, and of a quantized one what its value is made of beside it.
std::vector<std::string> sources_of(const Layer& source, std::string_view slot) {
  std::vector<std::string> all;
  for (const Slot& each : source.parameters)
    if (each.name == slot || (source.quant_method && each.name.starts_with(fmt::format("{}_", slot))))
      all.push_back(fmt::format("{}.{}", source.path(), each.name));
  return all;
}

// A dense copy: a view would keep the projection's memory alive.
at::Tensor mla_part_of(const Layer& layer, const at::Tensor& projection, std::string_view name) {
  const Sizes sizes(layer.spec, layer.tp.size);
  const at::Tensor by_head = projection.view({sizes.heads, sizes.nope + sizes.v, sizes.rank});
  const at::Tensor part = name == into_query ? by_head.narrow(1, 0, sizes.nope) : by_head.narrow(1, sizes.nope, sizes.v).transpose(1, 2);
  return at::empty(part.sizes(), part.options().dtype(to_torch(layer.spec.dtype))).copy_(part);
}

Status absorb(Layer& layer, const Layer& source, std::string_view slot) {
  if (!source.tensor(slot)) return Status(Code::failed, fmt::format("layer {} has no tensor {}", source.path(), slot));
  const at::Tensor projection = projection_of(source, slot);
  layer.extra.tensors[into_query] = mla_part_of(layer, projection, into_query);
  RELOADLAB_TRY(post_load_middle(layer));
  layer.extra.tensors[behind] = mla_part_of(layer, projection, behind);
  return {};
}

std::vector<Derived> absorbed_again(const Layer& layer, const Layer& source, std::string_view slot) {
  const at::Tensor projection = projection_of(source, slot);
  std::vector<Derived> all;
  for (const char* name : {into_query, behind})
    all.push_back({.name = name, .extra = true, .sources = sources_of(source, slot), .tensor = mla_part_of(layer, projection, name)});
  return all;
}

at::Tensor absorbed(const Layer& layer, const char* name) {
  const auto found = layer.extra.tensors.find(name);
  TORCH_CHECK(found != layer.extra.tensors.end(), "layer ", layer.path(), " has no tensor ", name, ": its post-load step has not run");
  return compute_copy(found->second);
}

class MlaAttention final : public KindBase {
 public:
  MlaAttention()
      : KindBase("mla_attention", "latent attention; a deferred layer whose post-load step derives absorbed matrices from kv_b_proj",
                 {{.name = "heads", .required = true, .minimum = 1, .about = "heads, split over ranks"},
                  {.name = "qk_nope_head_dim", .required = true, .minimum = 1, .about = "elements of a head's key without position"},
                  {.name = "v_head_dim", .required = true, .minimum = 1, .about = "elements of a head's value"},
                  {.name = "kv_lora_rank", .required = true, .minimum = 1, .about = "elements of the latent vector"},
                  {.name = "kv_b",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string(),
                   .about = "the slot that holds kv_b_proj: a child's, kv_b_proj.weight, or a path from the root; without it the layer has "
                            "a parameter for it"},
                  loader_key()}) {}

  bool deferred() const override { return true; }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery&, TensorParallel tp) const override {
    const Sizes sizes(spec, tp.size);
    return place({sizes.rows() * tp.rank, 0}, {0, 0}, {sizes.rows(), sizes.rank});
  }

  std::vector<Reference> references(const LayerSpec& spec, TensorParallel tp) const override {
    if (mla_has_own(spec)) return {};
    const Sizes sizes(spec, tp.size);
    return {{.slot = spec.text("kv_b"), .shape = {sizes.rows(), sizes.rank}, .read = Reference::Read::value}};
  }

  std::vector<SlotSpec> helpers(const LayerSpec& spec, TensorParallel tp) const override {
    const Sizes sizes(spec, tp.size);
    return {{.name = into_query, .shape = {sizes.heads, sizes.nope, sizes.rank}, .dtype = spec.dtype},
            {.name = behind, .shape = {sizes.heads, sizes.rank, sizes.v}, .dtype = spec.dtype}};
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "MLAAttention");
    if (!mla_has_own(spec)) return layer;
    const Sizes local(spec, tp.size), whole(spec, 1);
    ParameterPtr weight = add_parameter(*layer, own_slot, {local.rows(), local.rank}, spec.dtype, "ModelWeightParameter");
    set_dim(weight, "output_dim", 0);
    set_loader(weight, rule_loader(layer, LoadSplit{{{whole.rows(), whole.rank}, 2}, 0}));
    return layer;
  }

  // The projection's layer may go before this one; it is never kept alive from here.
  void link(Layer& layer, Model& model) const override {
    if (mla_has_own(layer.spec)) {
      layer.own_post_load = OwnStep::within_layer([](Layer& self) { return absorb(self, self, own_slot); });
      layer.own_derived = [](const Layer& self) { return absorbed_again(self, self, own_slot); };
      return;
    }
    const auto [path, slot] = split_slot_path(resolve_alias(model.spec, layer.spec, layer.spec.text("kv_b")));
    const LayerPtr source = model.find(path);
    RELOADLAB_CHECK(source, fmt::format("layer {}: no layer is called {}", layer.path(), path));
    layer.own_post_load = [weak = std::weak_ptr(source), slot = slot](Layer& self) {
      const LayerPtr alive = weak.lock();
      return alive ? absorb(self, *alive, slot) : Status(Code::failed, self.path() + ": the layer of its projection is gone");
    };
    layer.own_derived = [weak = std::weak_ptr(source), slot = slot](const Layer& self) {
      const LayerPtr alive = weak.lock();
      return alive ? absorbed_again(self, *alive, slot) : std::vector<Derived>();
    };
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor query = absorbed(layer, into_query), value = absorbed(layer, behind);
    const at::Tensor by_head = input.to(query.scalar_type()).view({input.size(0), query.size(0), query.size(1)}).transpose(0, 1);
    const at::Tensor latent = at::bmm(by_head, query);
    return at::bmm(latent, value).transpose(0, 1).reshape({input.size(0), -1});
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    const Sizes sizes(spec, tp.size);
    return example_values({mla_tokens, sizes.heads * sizes.nope}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    if (!mla_has_own(spec)) return {};
    const Sizes sizes(spec, tp.size);
    return {{.name = own_slot, .shape = {sizes.rows(), sizes.rank}, .dtype = spec.dtype}};
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    if (!mla_has_own(spec)) return {};
    const Sizes whole(spec, 1);
    std::vector<Delivery> all{deliver(spec, "weight", {whole.rows(), whole.rank}, spec.name + ".kv_b_proj")};
    all.back().slot = own_slot;
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    RELOADLAB_TRY(must_divide(spec, "heads", spec.integer("heads"), tp.size));
    return tp.size == 1 || !mla_has_own(spec) ? Status() : must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& mla_attention() {
  static const MlaAttention kind;
  return kind;
}

}  // namespace reloadlab::model
