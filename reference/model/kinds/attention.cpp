// Attention: scales that the default loader fills from the host, sinks that are copied, and a post-load step of its own which runs
// after those of all other layers and keeps the scales as host numbers, as kernels take them.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "reference/model/device.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/post_load.h"

namespace reloadlab::model {
namespace {

constexpr const char* workspace = "workspace";
constexpr const char* attention_scale_names[] = {"k_scale", "v_scale", "q_scale", "prob_scale"};

// Those that the layer has: none, the first two, or all.
std::span<const char* const> attention_scales_of(const LayerSpec& spec) {
  if (!spec.flag("scales")) return {};
  return std::span(attention_scale_names).first(spec.flag("query_scales") ? 4 : 2);
}

Status keep_on_host(Layer& layer, std::string_view name) {
  const ParameterPtr scale = layer.tensor(name);
  if (!scale) return Status(Code::failed, fmt::format("layer {} has no {}", layer.path(), name));
  if (!scale->tensor.is_meta()) layer.extra.host[std::string(name) + "_float"] = scale->tensor.item<float>();
  return {};
}

Status keep_scales_on_host(Layer& layer) {
  for (const char* name : attention_scales_of(layer.spec)) {
    if (name != attention_scale_names[0]) RELOADLAB_TRY(post_load_middle(layer));
    RELOADLAB_TRY(keep_on_host(layer, name));
  }
  return {};
}

// Scratch that kernels sort in, made anew each time in whatever element type is the default.
void make_workspace(Layer& layer) {
  const int64_t size = layer.spec.integer("workspace");
  const at::Tensor made = at::empty({size}, at::TensorOptions(to_torch(default_dtype())).device(default_device()));
  for (int64_t i = 0; i < size; ++i) made.select(0, i).fill_(i);
  layer.extra.tensors[workspace] = made;
}

bool keeps_scales(const LayerSpec& spec) { return spec.flag("scales") && spec.flag("host_copies"); }

Status own_step(Layer& layer) {
  if (layer.spec.integer("workspace") > 0) make_workspace(layer);
  return keeps_scales(layer.spec) ? keep_scales_on_host(layer) : Status();
}

std::vector<Derived> host_copies(const Layer& layer) {
  std::vector<Derived> all;
  for (const char* name : attention_scales_of(layer.spec)) {
    const at::Tensor& scale = held(layer, name);
    if (scale.is_meta()) continue;
    all.push_back(
        {.name = std::string(name) + "_float", .extra = true, .sources = {layer.path() + "." + name}, .host = scale.item<float>()});
  }
  return all;
}

std::string_view class_name_of(const LayerSpec& spec) {
  const std::string& which = spec.text("class");
  return which == "attention" ? "Attention" : which == "mla_attention" ? "MLAAttention" : "MMEncoderAttention";
}

class Attention final : public KindBase {
 public:
  Attention()
      : KindBase("attention", "attention with scales; a deferred layer with a post-load step of its own",
                 {{.name = "heads", .required = true, .minimum = 1, .about = "query heads, split over ranks"},
                  {.name = "class",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("attention"),
                   .about = "which of the engine's attention classes it is",
                   .choices = "attention|mla_attention|encoder_attention"},
                  {.name = "scales",
                   .type = KeyInfo::Type::boolean,
                   .fallback = true,
                   .about = "has k_scale and v_scale, float32 [1], 1 until loaded"},
                  {.name = "query_scales",
                   .type = KeyInfo::Type::boolean,
                   .fallback = false,
                   .about = "with scales, has q_scale and prob_scale too"},
                  {.name = "scales_delivered", .type = KeyInfo::Type::boolean, .fallback = true, .about = "checkpoints have the scales"},
                  {.name = "host_copies",
                   .type = KeyInfo::Type::boolean,
                   .fallback = true,
                   .about = "the post-load step keeps the scales as host numbers"},
                  {.name = "sinks", .type = KeyInfo::Type::boolean, .fallback = false, .about = "has sinks [heads], copied by the loader"},
                  {.name = "workspace", .minimum = 0, .about = "elements of the scratch tensor that the post-load step makes; 0: none"},
                  loader_key()}) {}

  bool deferred() const override { return true; }

  std::vector<SlotSpec> helpers(const LayerSpec& spec, TensorParallel) const override {
    if (spec.integer("workspace") == 0) return {};
    return {{.name = workspace, .shape = {spec.integer("workspace")}, .dtype = DType::f32}};
  }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    if (delivery.slot != "sinks") return place_whole(delivery.shape);
    const Piece heads = piece_of(spec.integer("heads"), spec.integer("heads"), tp);
    return place({heads.start}, {0}, {heads.local});
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t heads = spec.integer("heads");
    LayerPtr layer = make_layer(spec, tp, class_name_of(spec));
    if (spec.flag("sinks"))
      set_loader(add_parameter(*layer, "sinks", {heads / tp.size}, spec.dtype), rule_loader(layer, LoadSplit{{{heads}, 1}, 0}));
    for (const char* name : attention_scales_of(spec)) fill(add_parameter(*layer, name, {1}, DType::f32, "PerTensorScaleParameter"), 1.0);
    if (keeps_scales(spec) || spec.integer("workspace") > 0) layer->own_post_load = OwnStep::within_layer(own_step);
    if (keeps_scales(spec)) layer->own_derived = host_copies;
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    at::Tensor output = input.to(at::kFloat);
    if (layer.spec.flag("sinks")) output = output + compute_copy(held(layer, "sinks"));
    for (const char* name : attention_scales_of(layer.spec)) output = output * held(layer, name) + 1;
    for (const auto& [name, value] : layer.extra.host) output = output * value;
    for (const auto& [name, scratch] : layer.extra.tensors) output = output + scratch.sum().to(at::kFloat);
    return output;
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    return example_values({3, spec.integer("heads") / tp.size}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots;
    if (spec.flag("sinks")) slots.push_back({.name = "sinks", .shape = {spec.integer("heads") / tp.size}, .dtype = spec.dtype});
    for (const char* name : attention_scales_of(spec)) slots.push_back({.name = name, .shape = {1}, .dtype = DType::f32, .initial = 1.0});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    if (spec.flag("sinks")) all.push_back(deliver(spec, "sinks", {spec.integer("heads")}));
    if (!spec.flag("scales_delivered")) return all;
    for (const char* name : attention_scales_of(spec)) {
      all.push_back(deliver(spec, name, {1}));
      all.back().dtype = DType::f32;
    }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    RELOADLAB_TRY(must_divide(spec, "heads", spec.integer("heads"), tp.size));
    if (spec.flag("query_scales") && !spec.flag("scales")) return Status(Code::data, spec.name + ": query_scales need scales");
    return tp.size == 1 || !spec.flag("sinks") ? Status() : must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& attention() {
  static const Attention kind;
  return kind;
}

}  // namespace reloadlab::model
