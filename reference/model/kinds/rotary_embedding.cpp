// Rotary position embedding. The constructor works out one table, cos_sin_cache, a row for each position: the cosines of its angles,
// then their sines. No checkpoint has it, and state dicts leave it out. Layers that are tied_to another's table share it, as engines
// share one object.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>
#include <fmt/format.h>

#include <cmath>

#include "reference/model/device.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"

namespace reloadlab::model {
namespace {

constexpr const char* cache = "cos_sin_cache";
constexpr int64_t rotary_tokens = 3;

// In double precision, so that the rounding is the element type's alone.
at::Tensor worked_out(const LayerSpec& spec) {
  const int64_t dim = spec.integer("rotary_dim");
  const at::TensorOptions options = at::TensorOptions(at::kDouble).device(default_device());
  const at::Tensor frequency = at::pow(spec.number("base"), at::arange(0, dim, 2, options) / -static_cast<double>(dim));
  const at::Tensor angle = at::arange(spec.integer("max_position"), options).unsqueeze(1) * frequency;
  return at::cat({angle.cos(), angle.sin()}, 1);
}

// The same, element by element.
double cache_value(int64_t element, int64_t dim, double base) {
  const int64_t position = element / dim, column = element % dim, half = dim / 2;
  const double angle = static_cast<double>(position) * std::pow(base, -2.0 * static_cast<double>(column % half) / static_cast<double>(dim));
  return column < half ? std::cos(angle) : std::sin(angle);
}

class RotaryEmbedding final : public KindBase {
 public:
  RotaryEmbedding()
      : KindBase("rotary_embedding", "rotary position embedding: a table that the constructor works out, replicated",
                 {{.name = "rotary_dim", .required = true, .minimum = 2, .about = "elements that are rotated, in pairs"},
                  {.name = "max_position", .required = true, .minimum = 1, .about = "positions, rows of cos_sin_cache"},
                  {.name = "base", .type = KeyInfo::Type::number, .fallback = 10000.0, .about = "base of the frequencies"}}) {}

  std::vector<Placement> placements(const LayerSpec&, const Delivery&, TensorParallel) const override { return {}; }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    LayerPtr layer = make_layer(spec, tp, "RotaryEmbedding");
    const ParameterPtr table = add_buffer(*layer, cache, {spec.integer("max_position"), spec.integer("rotary_dim")}, spec.dtype, false);
    if (table) table->tensor.copy_(worked_out(spec));
    return layer;
  }

  // Token t stands at position t, or at the last one.
  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor table = compute_copy(held(layer, cache));
    const int64_t half = table.size(1) / 2;
    const at::Tensor position = at::arange(input.size(0), at::TensorOptions(at::kLong).device(table.device())).clamp_max(table.size(0) - 1);
    const at::Tensor rows = table.index_select(0, position), cosine = rows.narrow(1, 0, half), sine = rows.narrow(1, half, half);
    const at::Tensor x = input.to(table.scalar_type()), first = x.narrow(1, 0, half), second = x.narrow(1, half, half);
    return at::cat({first * cosine - second * sine, second * cosine + first * sine}, 1);
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({rotary_tokens, spec.integer("rotary_dim")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    const int64_t dim = spec.integer("rotary_dim");
    return {{.name = cache,
             .kind = SlotSpec::Kind::buffer,
             .shape = {spec.integer("max_position"), dim},
             .dtype = spec.dtype,
             .persistent = false,
             .constant = [dim, base = spec.number("base")](int64_t element) { return cache_value(element, dim, base); }}};
  }
  std::vector<Delivery> own_deliveries(const LayerSpec&) const override { return {}; }
  Status check_sizes(const LayerSpec& spec, TensorParallel) const override {
    if (spec.integer("rotary_dim") % 2 != 0)
      return Status(Code::data, fmt::format("{}: rotary_dim is {}, expected pairs", spec.name, spec.integer("rotary_dim")));
    if (!(spec.number("base") > 0))
      return Status(Code::data, fmt::format("{}: base is {}, expected more than 0", spec.name, spec.number("base")));
    return {};
  }
};

}  // namespace

const LayerKind& rotary_embedding() {
  static const RotaryEmbedding kind;
  return kind;
}

}  // namespace reloadlab::model
