// A state-space mixer, split over ranks by channels. A's loader is composed, from A_log to -exp(A_log), in single precision whatever
// the layer's dtype. The weight of the convolution has an extra dimension of one, as checkpoints have it, and kernels read it through
// conv_weights, a buffer that is a view of it without that dimension. It is the layer's own, or that of a child called conv1d.
#include <ATen/TensorOperators.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "reference/base/check.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

constexpr const char* own_conv = "conv1d_weight";
constexpr const char* child_conv = "conv1d.weight";
constexpr const char* conv_view = "conv_weights";
constexpr int64_t mamba_tokens = 3;

bool mamba_has_own(const LayerSpec& spec) { return spec.text("conv") == "own"; }
const char* conv_of(const LayerSpec& spec) { return mamba_has_own(spec) ? own_conv : child_conv; }

// Each output is that of the tokens up to its own.
at::Tensor convolved(const at::Tensor& input, const at::Tensor& weight) {
  const int64_t taps = weight.size(1);
  const at::Tensor padded = at::pad(input, {0, 0, taps - 1, 0});
  at::Tensor sum = at::zeros_like(input);
  for (int64_t tap = 0; tap < taps; ++tap) sum = sum + padded.narrow(0, tap, input.size(0)) * weight.select(1, tap);
  return at::silu(sum);
}

class MambaMixer final : public KindBase {
 public:
  MambaMixer()
      : KindBase("mamba_mixer", "state-space mixer: A through a composed loader, D, dt_bias, and a view of its convolution's weight",
                 {{.name = "channels", .required = true, .minimum = 1, .about = "channels, split over ranks"},
                  {.name = "state", .required = true, .minimum = 1, .about = "elements of a channel's state: columns of A"},
                  {.name = "conv_kernel", .fallback = int64_t{4}, .minimum = 1, .about = "tokens that the convolution reaches over"},
                  {.name = "conv",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("own"),
                   .about = "whose the convolution's weight is: the layer's own parameter, or that of the child conv1d, a "
                            "column_parallel_linear of conv_kernel inputs",
                   .choices = "own|child"},
                  {.name = "order",
                   .type = KeyInfo::Type::text,
                   .fallback = std::string("a_first"),
                   .about = "place of A_log among the layer's deliveries",
                   .choices = "a_first|a_last"},
                  loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    const Piece piece = piece_of(spec.integer("channels"), spec.integer("channels"), tp);
    Shape source(delivery.shape.size(), 0), extent = delivery.shape;
    source[0] = piece.start;
    extent[0] = piece.local;
    return place(std::move(source), Shape(delivery.shape.size(), 0), std::move(extent));
  }

  int64_t loader_scratch_bytes(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp, Operators) const override {
    return delivery.slot == "A" ? spec.integer("channels") / tp.size * spec.integer("state") * dtype_size(DType::f32) : 0;
  }

  std::vector<Reference> references(const LayerSpec& spec, TensorParallel tp) const override {
    if (mamba_has_own(spec)) return {};
    return {{.slot = child_conv, .shape = {spec.integer("channels") / tp.size, spec.integer("conv_kernel")}}};
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t channels = spec.integer("channels"), local = channels / tp.size, state = spec.integer("state");
    LayerPtr layer = make_layer(spec, tp, "MambaMixer");
    set_loader(add_parameter(*layer, "A", {local, state}, DType::f32),
               rule_loader(layer, LoadTransformed{{{{channels, state}, 2}, 0}, /*exponential=*/true}));
    for (const char* name : {"D", "dt_bias"})
      set_loader(add_parameter(*layer, name, {local}, spec.dtype), rule_loader(layer, LoadSplit{{{channels}, 1}, 0}));
    const int64_t taps = spec.integer("conv_kernel");
    if (mamba_has_own(spec))
      set_loader(add_parameter(*layer, own_conv, {local, 1, taps}, spec.dtype), rule_loader(layer, LoadSplit{{{channels, 1, taps}, 3}, 0}));
    layer->buffers.set(conv_view, nullptr, false);
    return layer;
  }

  void link(Layer& layer, Model& model) const override {
    const ParameterPtr weight = model.find_tensor(resolve_alias(model.spec, layer.spec, conv_of(layer.spec)));
    RELOADLAB_CHECK(weight, fmt::format("layer {}: nothing is called {}", layer.path(), conv_of(layer.spec)));
    auto view = std::make_shared<Parameter>();
    view->tensor = weight->tensor.view({weight->tensor.size(0), layer.spec.integer("conv_kernel")});
    view->tensor_class = "Buffer";
    layer.buffers.set(conv_view, view, false);
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor a = compute_copy(held(layer, "A")), d = compute_copy(held(layer, "D")), bias = compute_copy(held(layer, "dt_bias"));
    const at::Tensor x = convolved(input.to(d.scalar_type()), compute_copy(held(layer, conv_view)));
    const at::Tensor step = at::softplus(x + bias);
    at::Tensor state = at::zeros(a.sizes(), x.options());
    std::vector<at::Tensor> outputs;
    for (int64_t token = 0; token < x.size(0); ++token) {
      const at::Tensor width = step.select(0, token), fed = width * x.select(0, token);
      state = state * (width.unsqueeze(1) * a).exp() + fed.unsqueeze(1);
      outputs.push_back(state.mean(1) + d * x.select(0, token));
    }
    return at::stack(outputs);
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel tp, uint64_t seed) const override {
    return example_values({mamba_tokens, spec.integer("channels") / tp.size}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t local = spec.integer("channels") / tp.size, taps = spec.integer("conv_kernel");
    std::vector<SlotSpec> slots{
        {.name = "A", .shape = {local, spec.integer("state")}, .dtype = DType::f32, .transform = SlotSpec::Transform::negative_exp},
        {.name = "D", .shape = {local}, .dtype = spec.dtype},
        {.name = "dt_bias", .shape = {local}, .dtype = spec.dtype}};
    if (mamba_has_own(spec)) slots.push_back({.name = own_conv, .shape = {local, 1, taps}, .dtype = spec.dtype});
    slots.push_back({.name = conv_view,
                     .kind = SlotSpec::Kind::buffer,
                     .shape = {local, taps},
                     .dtype = spec.dtype,
                     .persistent = false,
                     .alias_of = conv_of(spec)});
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const int64_t channels = spec.integer("channels");
    Delivery a = deliver(spec, "A_log", {channels, spec.integer("state")});
    a.slot = "A";
    a.dtype = DType::f32;
    std::vector<Delivery> all{deliver(spec, "D", {channels}), deliver(spec, "dt_bias", {channels})};
    if (mamba_has_own(spec)) {
      all.push_back(deliver(spec, child_conv, {channels, 1, spec.integer("conv_kernel")}));
      all.back().slot = own_conv;
    }
    all.insert(spec.text("order") == "a_first" ? all.begin() : all.end(), std::move(a));
    return all;
  }

  Status check_sizes(const LayerSpec& spec, TensorParallel tp) const override {
    RELOADLAB_TRY(must_divide(spec, "channels", spec.integer("channels"), tp.size));
    return must_have_loader(spec);
  }
};

}  // namespace

const LayerKind& mamba_mixer() {
  static const MambaMixer kind;
  return kind;
}

}  // namespace reloadlab::model
