// A layer of parts to choose from: a weight with strides of its own, a loaded, an empty or no bias, buffers that are persistent or
// not, loaded or constant, views, a second name for the weight, tensors that engines skip, and what is made in the first forward.
// Everything is replicated. A part is there when its key is given.
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/base/check.h"
#include "reference/model/device.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr int64_t late_size = 4;
constexpr int64_t skipped_size = 2;

bool has(const LayerSpec& spec, std::string_view key) { return !spec.integers(key).empty(); }
bool named(const LayerSpec& spec, std::string_view key) { return !spec.text(key).empty(); }

KeyInfo shape_key(std::string_view name, std::string_view about, int64_t minimum = 1) {
  return {.name = name, .type = KeyInfo::Type::integers, .fallback = std::vector<int64_t>{}, .minimum = minimum, .about = about};
}
KeyInfo flag_key(std::string_view name, bool fallback, std::string_view about) {
  return {.name = name, .type = KeyInfo::Type::boolean, .fallback = fallback, .about = about};
}
KeyInfo text_key(std::string_view name, std::string_view about, std::string_view fallback = {}, std::string_view choices = {}) {
  return {.name = name, .type = KeyInfo::Type::text, .fallback = std::string(fallback), .about = about, .choices = choices};
}

ParameterPtr add_weight(const LayerPtr& layer) {
  const LayerSpec& spec = layer->spec;
  const Shape& shape = spec.integers("shape");
  ParameterPtr weight = add_parameter(*layer, "weight", shape, spec.dtype, "ModelWeightParameter");
  if (weight && has(spec, "strides"))
    weight->tensor = at::empty_strided(shape, spec.integers("strides"), at::TensorOptions(to_torch(spec.dtype)).device(default_device()));
  WholeShape whole{.dims = static_cast<int>(shape.size())};
  std::ranges::copy(shape, whole.sizes.begin());
  set_loader(weight, rule_loader(layer, LoadSplit{whole}));
  return weight;
}

void add_bias(const LayerPtr& layer) {
  const LayerSpec& spec = layer->spec;
  if (spec.text("bias") == "empty") layer->parameters.set("bias", nullptr);
  if (spec.text("bias") == "loaded") add_parameter(*layer, "bias", {spec.integers("shape")[0]}, spec.dtype);
}

void add_constants(const LayerPtr& layer) {
  const LayerSpec& spec = layer->spec;
  const double value = spec.number("constant_value");
  if (has(spec, "constant"))
    fill(add_buffer(*layer, "constant", spec.integers("constant"), spec.dtype, spec.flag("constant_persistent")), value);
  if (has(spec, "expanded")) {
    const Shape& shape = spec.integers("expanded");
    ParameterPtr buffer = add_buffer(*layer, "expanded", at::IntArrayRef(shape).slice(1), spec.dtype, false);
    fill(buffer, value);
    buffer->tensor = buffer->tensor.expand(shape);
  }
  if (named(spec, "skip")) fill(add_buffer(*layer, spec.text("skip"), {skipped_size}, DType::i32, true), 1);
}

// Registered in the first forward, and so unknown to whoever looked at the layer before.
void make_late(Layer& layer) {
  if (layer.spec.flag("late") && !layer.tensor("late"))
    fill(add_parameter(layer, "late", {late_size}, layer.spec.dtype), layer.spec.number("constant_value"));
  // A candidate may have left the layer without it.
  if (const ParameterPtr lazy = layer.tensor("lazy"); lazy && !lazy->tensor.defined())
    lazy->tensor = at::empty({late_size}, at::TensorOptions(to_torch(layer.spec.dtype)).device(default_device())).fill_(0);
  if (layer.spec.flag("scratch") && !layer.extra.tensors.contains("scratch"))
    layer.extra.tensors["scratch"] = at::empty({late_size}, at::TensorOptions(at::kFloat).device(default_device())).fill_(0);
}

class Buffers final : public KindBase {
 public:
  Buffers()
      : KindBase("buffers", "a layer of parts to choose from: views, constants, empty slots, persistence, strides, second names",
                 {shape_key("shape", "shape of the parameter weight, one or two dimensions"),
                  shape_key("strides", "strides of the weight, dense without", 0),
                  text_key("bias", "the parameter bias [shape[0]]: none, loaded, or a slot that stays empty", "none", "none|loaded|empty"),
                  text_key("second_name", "another parameter name for the handle of the weight"),
                  shape_key("buffer", "shape of the loaded buffer running"),
                  flag_key("buffer_persistent", true, "the loaded buffer is persistent"),
                  shape_key("constant", "shape of the buffer constant, which no checkpoint loads"),
                  {.name = "constant_value",
                   .type = KeyInfo::Type::number,
                   .fallback = 0.25,
                   .about = "value of what the constructor or the first forward fills"},
                  flag_key("constant_persistent", false, "the buffer constant is persistent"),
                  shape_key("expanded", "shape of the constant buffer expanded, stride 0 in its first dimension"),
                  flag_key("empty_buffer", false, "has the buffer slot cache, which stays empty"),
                  text_key("skip", "name of an int32 buffer [2] that engines skip: _expert_map, expert_mask, …"),
                  flag_key("skip_delivered", false, "checkpoints have the skipped buffer"),
                  text_key("view_of", "the slot that the buffer view is a view of: the layer's own, a child's, or a path from the root"),
                  shape_key("view_shape", "shape of the view"),
                  {.name = "view_start", .minimum = 0, .about = "first element of the view in what it is a view of, row-major"},
                  flag_key("late", false, "the first forward registers the parameter late [4]"),
                  flag_key("lazy", false, "has the parameter lazy, which has neither shape nor storage before the first forward"),
                  flag_key("scratch", false, "the first forward makes a scratch tensor that is registered nowhere"),
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery& delivery, TensorParallel) const override {
    return place_whole(delivery.shape);
  }

  std::vector<SlotSpec> late_slots(const LayerSpec& spec, TensorParallel) const override {
    std::vector<SlotSpec> slots;
    for (const char* name : {"late", "lazy"})
      if (spec.flag(name)) slots.push_back({.name = name, .shape = {late_size}, .dtype = spec.dtype});
    return slots;
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "BufferedLayer");
    if (has(spec, "shape")) {
      ParameterPtr weight = add_weight(layer);
      add_bias(layer);
      if (named(spec, "second_name")) layer->parameters.set(spec.text("second_name"), weight);
    }
    if (has(spec, "buffer")) add_buffer(*layer, "running", spec.integers("buffer"), spec.dtype, spec.flag("buffer_persistent"));
    add_constants(layer);
    if (spec.flag("empty_buffer")) layer->buffers.set("cache", nullptr);
    if (named(spec, "view_of")) layer->buffers.set("view", nullptr, false);
    if (spec.flag("lazy")) layer->parameters.set("lazy", std::make_shared<Parameter>(Parameter{.tensor_class = "UninitializedParameter"}));
    return layer;
  }

  void link(Layer& layer, Model& model) const override {
    const LayerSpec& spec = layer.spec;
    if (named(spec, "second_name")) layer.parameters.set(spec.text("second_name"), layer.tensor("weight"));
    if (!named(spec, "view_of")) return;
    ParameterPtr target = model.find_tensor(resolve_alias(model.spec, spec, spec.text("view_of")));
    RELOADLAB_CHECK(target, fmt::format("layer {}: nothing is called {}", spec.name, spec.text("view_of")));
    const Shape& shape = spec.integers("view_shape");
    auto view = std::make_shared<Parameter>();
    view->tensor = target->tensor.view(-1).narrow(0, spec.integer("view_start"), numel(shape)).view(shape);
    view->tensor_class = "Buffer";
    layer.buffers.set("view", view, false);
  }

  // All that the layer holds, as a kernel that reads everything would see it.
  at::Tensor forward(Layer& layer, const at::Tensor&) const override {
    make_late(layer);
    std::vector<at::Tensor> all;
    for_each_tensor(layer, [&](const Slot& slot, bool) { all.push_back(compute_copy(slot.handle->tensor).reshape(-1)); });
    for (const auto& [name, tensor] : layer.extra.tensors) all.push_back(compute_copy(tensor).reshape(-1));
    return all.empty() ? at::empty({0}) : at::cat(all);
  }
  at::Tensor example_input(const LayerSpec&, TensorParallel, uint64_t seed) const override { return example_values({1}, seed); }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    std::vector<SlotSpec> slots;
    parameter_slots(spec, slots);
    buffer_slots(spec, slots);
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all;
    if (has(spec, "shape")) all.push_back(deliver(spec, "weight", spec.integers("shape")));
    if (spec.text("bias") == "loaded") all.push_back(deliver(spec, "bias", {spec.integers("shape")[0]}));
    if (has(spec, "buffer")) all.push_back(deliver(spec, "running", spec.integers("buffer")));
    if (!spec.flag("skip_delivered")) return all;
    all.push_back(deliver(spec, spec.text("skip"), {skipped_size}));
    all.back().dtype = DType::i32;
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel) const override {
    const auto refuse = [&](std::string_view what) { return Status(Code::data, fmt::format("{}: {}", spec.name, what)); };
    const Shape& shape = spec.integers("shape");
    if (shape.size() > 2) return refuse("shape has more than two dimensions");
    if (has(spec, "strides") && spec.integers("strides").size() != shape.size()) return refuse("strides and shape differ in length");
    if (has(spec, "strides") && overlap(shape, spec.integers("strides")))
      return refuse("strides under which elements share memory, expected each to be at least what the smaller ones span");
    if (shape.empty() && (spec.text("bias") != "none" || named(spec, "second_name"))) return refuse("bias and second_name need a shape");
    if (named(spec, "view_of") != has(spec, "view_shape")) return refuse("view_of and view_shape go together");
    if (spec.flag("skip_delivered") && !named(spec, "skip")) return refuse("skip_delivered needs the name of the buffer in skip");
    if (has(spec, "expanded") && spec.integers("expanded").size() < 2) return refuse("expanded needs two dimensions");
    return {};
  }

 private:
  // True unless every stride steps over all that the smaller ones reach. What is written into such a tensor depends on the order.
  static bool overlap(const Shape& shape, const Shape& strides) {
    std::vector<std::pair<int64_t, int64_t>> by_stride;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      if (shape[dim] > 1) by_stride.emplace_back(strides[dim], shape[dim]);
    std::ranges::sort(by_stride);
    int64_t last = 0, reach = 0;  // last: the furthest element that the dimensions so far reach
    for (const auto& [stride, size] : by_stride) {
      if (stride <= last) return true;
      if (__builtin_mul_overflow(stride, size - 1, &reach) || __builtin_add_overflow(last, reach, &last)) return false;
    }
    return false;
  }

  static void parameter_slots(const LayerSpec& spec, std::vector<SlotSpec>& slots) {
    if (!has(spec, "shape")) return;
    const Shape& shape = spec.integers("shape");
    slots.push_back({.name = "weight", .shape = shape, .dtype = spec.dtype, .strides = spec.integers("strides")});
    if (spec.text("bias") == "loaded") slots.push_back({.name = "bias", .shape = {shape[0]}, .dtype = spec.dtype});
    if (spec.text("bias") == "empty") slots.push_back({.name = "bias", .kind = SlotSpec::Kind::empty_parameter});
    if (named(spec, "second_name"))
      slots.push_back({.name = spec.text("second_name"),
                       .shape = shape,
                       .dtype = spec.dtype,
                       .alias_of = "weight",
                       .strides = spec.integers("strides")});
  }

  static void buffer_slots(const LayerSpec& spec, std::vector<SlotSpec>& slots) {
    using enum SlotSpec::Kind;
    const double value = spec.number("constant_value");
    if (has(spec, "buffer"))
      slots.push_back({.name = "running",
                       .kind = buffer,
                       .shape = spec.integers("buffer"),
                       .dtype = spec.dtype,
                       .persistent = spec.flag("buffer_persistent")});
    if (has(spec, "constant"))
      slots.push_back({.name = "constant",
                       .kind = buffer,
                       .shape = spec.integers("constant"),
                       .dtype = spec.dtype,
                       .persistent = spec.flag("constant_persistent"),
                       .initial = value});
    if (has(spec, "expanded"))
      slots.push_back({.name = "expanded",
                       .kind = buffer,
                       .shape = spec.integers("expanded"),
                       .dtype = spec.dtype,
                       .persistent = false,
                       .initial = value,
                       .strides = expanded_strides(spec)});
    if (named(spec, "skip"))
      slots.push_back({.name = spec.text("skip"), .kind = buffer, .shape = {skipped_size}, .dtype = DType::i32, .initial = 1});
    if (spec.flag("empty_buffer")) slots.push_back({.name = "cache", .kind = empty_buffer});
    if (named(spec, "view_of"))
      slots.push_back({.name = "view",
                       .kind = buffer,
                       .shape = spec.integers("view_shape"),
                       .dtype = spec.dtype,
                       .persistent = false,
                       .alias_of = spec.text("view_of"),
                       .alias_start = spec.integer("view_start")});
  }

  static Shape expanded_strides(const LayerSpec& spec) {
    const Shape& shape = spec.integers("expanded");
    Shape strides(shape.size(), 1);
    for (size_t dim = shape.size() - 1; dim > 0; --dim) strides[dim - 1] = strides[dim] * shape[dim];
    strides[0] = 0;
    return strides;
  }
};

}  // namespace

const LayerKind& buffers() {
  static const Buffers kind;
  return kind;
}

}  // namespace reloadlab::model
