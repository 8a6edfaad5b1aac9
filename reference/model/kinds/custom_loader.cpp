// One weight whose loader writes it by a given route. All routes leave the same bytes (but `broadcast`, which delivers one row for all);
// they differ in the operators that whoever counts or tracks writes has to understand.
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"

namespace reloadlab::model {
namespace {

using Route = void (*)(const at::Tensor& to, const at::Tensor& from);

void by_copy(const at::Tensor& to, const at::Tensor& from) { to.copy_(from); }
void by_rows(const at::Tensor& to, const at::Tensor& from) {
  for (int64_t row = 0; row < to.size(0); ++row) to.select(0, row).copy_(from.select(0, row));
}
void by_steps(const at::Tensor& to, const at::Tensor& from) {
  for (int64_t first : {1, 0}) to.slice(1, first, std::nullopt, 2).copy_(from.slice(1, first, std::nullopt, 2));
}
void by_transpose(const at::Tensor& to, const at::Tensor& from) { to.t().copy_(from.t()); }
// Two flat ranges that meet in the middle of a row.
void by_flat(const at::Tensor& to, const at::Tensor& from) {
  const int64_t all = to.numel(), middle = all / 2 + (all > 2 ? 1 : 0);
  to.view(-1).narrow(0, 0, middle).copy_(from.reshape(-1).narrow(0, 0, middle));
  to.view(-1).narrow(0, middle, all - middle).copy_(from.reshape(-1).narrow(0, middle, all - middle));
}
void by_bytes(const at::Tensor& to, const at::Tensor& from) { to.view(at::kByte).copy_(from.view(at::kByte)); }
void by_temporary(const at::Tensor& to, const at::Tensor& from) {
  at::Tensor temporary = at::empty_like(to);
  temporary.copy_(from);
  to.copy_(temporary);
}
void by_two_copies(const at::Tensor& to, const at::Tensor& from) {
  to.copy_(from);
  to.copy_(from);
}
// Looks at what is there, on the host, and goes another way when nothing would change. A placeholder has nothing to look at.
void by_difference(const at::Tensor& to, const at::Tensor& from) {
  if (!at::equal(to, from)) to.copy_(from);
}
void by_foreach(const at::Tensor& to, const at::Tensor& from) {
  const at::Tensor tos[] = {to}, froms[] = {from};
  at::_foreach_copy_(tos, froms);
}
at::Tensor all_rows(const at::Tensor& to, at::Device where) { return at::arange(to.size(0), at::TensorOptions(at::kLong).device(where)); }
void by_index_copy(const at::Tensor& to, const at::Tensor& from) { to.index_copy_(0, all_rows(to, to.device()), from.to(to.device())); }
void by_index_put(const at::Tensor& to, const at::Tensor& from) { to.index_put_({all_rows(to, at::kCPU)}, from.to(to.device())); }
void by_mask(const at::Tensor& to, const at::Tensor& from) {
  to.masked_scatter_(at::ones(to.sizes(), at::TensorOptions(at::kBool).device(to.device())), from.to(to.device()));
}
void by_set(const at::Tensor& to, const at::Tensor& from) { to.set_(from.clone()); }
void by_data(const at::Tensor& to, const at::Tensor& from) { to.set_data(from.clone()); }

struct Named {
  std::string_view name;
  Route route;
};
constexpr Named routes[] = {{"copy", by_copy},
                            {"rows", by_rows},
                            {"steps", by_steps},
                            {"transpose", by_transpose},
                            {"flat", by_flat},
                            {"bytes", by_bytes},
                            {"twice", by_two_copies},
                            {"temporary", by_temporary},
                            {"broadcast", by_copy},
                            {"difference", by_difference},
                            {"foreach", by_foreach},
                            {"index_copy", by_index_copy},
                            {"index_put", by_index_put},
                            {"mask", by_mask},
                            {"set", by_set},
                            {"data", by_data}};

Route route_of(std::string_view name) {
  for (const Named& each : routes)
    if (each.name == name) return each.route;
  return nullptr;
}

struct LoadByRoute {
  WholeShape whole;
  Route route;
  Status operator()(TensorParallel, Parameter& destination, const at::Tensor& loaded, const LoadArgs&) const {
    RELOADLAB_TRY(expect_shape(loaded, whole));
    route(destination.tensor, loaded);
    return {};
  }
};

// What masked_scatter_ takes on CUDA beside its mask, which must be contiguous: where each element comes from, eight bytes each, and CUB's
// scan over the mask, which makes them. The scan keeps 16 bytes for each tile of elements and for 32 tiles before the first, and hands
// out its two allocations on bounds of 256 bytes. On H200, by LibTorch 2.11.0 with CUDA 13.0, a tile has 896 elements, and this is exact
// with that number, from 1 to 10^8 elements; no tile has fewer than one for each thread of a block of 128, so it is a bound.
int64_t scatter_scratch_bytes(int64_t elements) {
  constexpr int64_t position = 8, tile_least = 128, tile_state = 16, tiles_before = 32, bound = 256;
  const int64_t tiles = (elements + tile_least - 1) / tile_least;
  const int64_t states = ((tiles + tiles_before) * tile_state + bound - 1) / bound * bound;
  return elements * position + states + bound + (bound - 1);
}

class CustomLoader final : public KindBase {
 public:
  CustomLoader()
      : KindBase(
            "custom_loader", "one replicated weight whose loader writes it by a given route",
            {{.name = "rows", .required = true, .minimum = 1, .about = "rows"},
             {.name = "columns", .required = true, .minimum = 1, .about = "columns"},
             {.name = "via",
              .type = KeyInfo::Type::text,
              .fallback = std::string("copy"),
              .about =
                  "how the loader writes: one copy, row by row, odd then even columns, through transposed views, in two flat ranges, as "
                  "bytes, twice, through a temporary, broadcasting one row, only where what is there differs (which it reads on the host), "
                  "_foreach_copy_, index_copy_, index_put_, masked_scatter_, "
                  "set_, .data =",
              .choices =
                  "copy|rows|steps|transpose|flat|bytes|twice|temporary|broadcast|difference|foreach|index_copy|index_put|mask|set|data"},
             {.name = "bias", .type = KeyInfo::Type::boolean, .fallback = false, .about = "has a bias [rows], loaded by one copy"},
             loader_key()}) {}

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel) const override {
    if (delivery.slot == "bias" || !broadcasts(spec)) return place_whole(delivery.shape);
    std::vector<Placement> all;
    const int64_t columns = spec.integer("columns");
    for (int64_t row = 0; row < spec.integer("rows"); ++row) all.push_back({{0, 0}, {row, 0}, {1, columns}});
    return all;
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t rows = spec.integer("rows"), columns = spec.integer("columns");
    LayerPtr layer = make_layer(spec, tp, "CustomLinear");
    ParameterPtr weight = add_parameter(*layer, "weight", {rows, columns}, spec.dtype, "ModelWeightParameter");
    const WholeShape whole{{broadcasts(spec) ? 1 : rows, columns}, 2};
    set_loader(weight, rule_loader(layer, LoadByRoute{whole, route_of(spec.text("via"))}));
    if (spec.flag("bias")) add_parameter(*layer, "bias", {rows}, spec.dtype);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override { return apply_linear(layer, input, layer.spec.flag("bias")); }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({3, spec.integer("columns")}, seed);
  }
  // The peak of the route's temporaries when it writes a real tensor.
  int64_t loader_scratch_bytes(const LayerSpec& spec, const Delivery& delivery, TensorParallel, Operators operators) const override {
    if (delivery.slot != "weight") return 0;
    const std::string& via = spec.text("via");
    const int64_t rows = spec.integer("rows"), elements = rows * spec.integer("columns");
    if (via == "temporary" || via == "set" || via == "data") return elements * dtype_size(spec.dtype);
    if (via == "index_copy" || via == "index_put") return rows * dtype_size(DType::i64);
    if (via != "mask") return 0;
    return elements + (operators == Operators::cuda ? scatter_scratch_bytes(elements) : 0);
  }
  int64_t counting_scratch_bytes(const LayerSpec& spec, const Delivery& delivery) const override {
    const bool indexes = delivery.slot == "weight" && spec.text("via") == "index_put";
    return indexes ? spec.integer("rows") * dtype_size(DType::i64) : 0;
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel) const override {
    std::vector<SlotSpec> slots{{.name = "weight", .shape = {spec.integer("rows"), spec.integer("columns")}, .dtype = spec.dtype}};
    if (spec.flag("bias")) slots.push_back({.name = "bias", .shape = {spec.integer("rows")}, .dtype = spec.dtype});
    return slots;
  }
  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    std::vector<Delivery> all{deliver(spec, "weight", {broadcasts(spec) ? 1 : spec.integer("rows"), spec.integer("columns")})};
    if (spec.flag("bias")) all.push_back(deliver(spec, "bias", {spec.integer("rows")}));
    return all;
  }
  Status check_sizes(const LayerSpec& spec, TensorParallel) const override {
    return spec.text("via") == "copy" ? Status() : must_have_loader(spec);
  }

 private:
  static bool broadcasts(const LayerSpec& spec) { return spec.text("via") == "broadcast"; }
};

}  // namespace

const LayerKind& custom_loader() {
  static const CustomLoader kind;
  return kind;
}

}  // namespace reloadlab::model
