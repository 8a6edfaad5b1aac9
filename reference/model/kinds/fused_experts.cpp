// A layer of experts in two stacks of matrices: w13_weight holds each expert's gate (w1) above its up projection (w3), w2_weight its
// down projection. Over the ranks, experts are cut or dealt out:
//
//   tensor     every rank has all experts, and of each the same share of the intermediate elements
//   expert     every rank has as many places for whole experts, and tables of which expert has which place
//
// With redundant experts there are more places than experts, and the first ones have two. 6 experts and 2 redundant ones on 4 ranks:
//
//   linear        0 1 | 2 3 | 4 5 | 0 1      round_robin      0 4 | 1 5 | 2 0 | 3 1
//
// With `scales: block` the checkpoint brings 8-bit weights, and for each matrix [n, k] weight_scale_inv [⌈n/128⌉, ⌈k/128⌉], the scales of
// its blocks of 128×128: they are stacked, cut and dealt out as the matrices are. What the weight stands for is weight · scale.
//
// With `packed` it brings integers of 4 bits in words, as compressed-tensors stores them (quant/packed.h): weight_packed i32 [n, k/8] and
// weight_scale [n, k/g], stacked as well, with `zero_points` weight_zero_point i32 [n/8, k/g], and weight_shape i64 [2]. An expert's gate
// and up projection have one place for theirs, in a stack [experts, 2]: the last one stays.
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/compute.h"
#include "reference/model/kinds/construct.h"
#include "reference/model/kinds/expert_places.h"
#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/registry.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/post_load.h"
#include "reference/model/quant/apply_scales.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view shard_names[] = {"w1", "w2", "w3"};
constexpr int64_t tokens = 3;
constexpr int64_t experts_most = 65536;  // each has deliveries of its own
constexpr int64_t block = 128;

bool by_expert(const LayerSpec& spec) { return spec.text("parallel") == "expert"; }
bool dealt_round(const LayerSpec& spec) { return spec.text("placement") == "round_robin"; }
int64_t places_of(const LayerSpec& spec) { return spec.integer("experts") + spec.integer("redundant"); }
int64_t copies_of(const LayerSpec& spec) { return spec.integer("redundant") > 0 ? 2 : 1; }  // at most
bool scaled(const LayerSpec& spec) { return spec.text("scales") == "block"; }

// Two stacks of an expert's matrices, w13_ and w2_ before the suffix: the weights, their words, or as many of their scales as there are.
struct Stacks {
  static constexpr int64_t pair = 0;
  std::string_view suffix;
  int64_t hidden, intermediate;
  DType dtype;
  int64_t packed = 1;       // elements of a row that are one here; pair: no matrix, but the two sizes of it
  int64_t rows_packed = 1;  // rows that are one here

  Shape whole(std::string_view shard) const { return matrix(shard, intermediate); }
  // With so many intermediate elements.
  Shape matrix(std::string_view shard, int64_t share) const {
    if (packed == pair) return {2};
    return shard == "w2" ? Shape{hidden / rows_packed, share / packed} : Shape{share / rows_packed, hidden / packed};
  }
  Shape stack(std::string_view shard, const LayerSpec& spec, TensorParallel tp) const {
    Shape shape = matrix(shard, share(spec, tp));
    if (shard != "w2" && packed != pair) shape[0] *= 2;
    shape.insert(shape.begin(), places(spec, tp));
    return shape;
  }
  std::string slot(std::string_view shard) const { return fmt::format("{}_{}", shard == "w2" ? "w2" : "w13", suffix); }
  int64_t share(const LayerSpec& spec, TensorParallel tp) const { return by_expert(spec) ? intermediate : intermediate / tp.size; }
  static int64_t places(const LayerSpec& spec, TensorParallel tp) {
    return by_expert(spec) ? places_of(spec) / tp.size : spec.integer("experts");
  }
};

std::vector<Stacks> stacks_of(const LayerSpec& spec) {
  const int64_t hidden = spec.integer("hidden"), intermediate = spec.integer("intermediate");
  if (spec.flag("packed")) {
    const int64_t group = spec.integer("group");
    std::vector<Stacks> all{{"weight_packed", hidden, intermediate, DType::i32, codes_per_word},
                            {"weight_scale", hidden, intermediate, spec.dtype, group},
                            {"weight_shape", hidden, intermediate, DType::i64, Stacks::pair}};
    if (spec.flag("zero_points")) all.push_back({"weight_zero_point", hidden, intermediate, DType::i32, group, codes_per_word});
    return all;
  }
  std::vector<Stacks> all{{"weight", hidden, intermediate, spec.dtype}};
  if (scaled(spec)) all.push_back({"weight_scale_inv", round_up(hidden, block) / block, round_up(intermediate, block) / block, DType::f32});
  return all;
}

const Stacks& stacks_with(const std::vector<Stacks>& all, std::string_view slot) {
  return *std::ranges::find_if(all, [&](const Stacks& stacks) { return slot == stacks.slot("w1") || slot == stacks.slot("w2"); });
}

// The expert that the constructor and the loader find at one of a rank's places, counted on over its second copy.
int64_t replica_at(bool round, int64_t place, int64_t places, TensorParallel tp) {
  return round ? place * tp.size + tp.rank : tp.rank * places + place;
}

// The shard is "w1", "w2" or "w3", the expert the number that checkpoints give it.
struct LoadExpert {
  int64_t hidden, intermediate, experts;
  bool by_expert, round;
  int64_t packed, rows_packed;  // as of Stacks

  Status operator()(TensorParallel tp, Parameter& destination, const at::Tensor& loaded, const LoadArgs& args) const {
    const std::string shard = args.shard.value_or("");
    const bool down = shard == "w2";
    if (!down && shard != "w1" && shard != "w3") return Status(Code::failed, fmt::format("shard \"{}\" is none of w1, w2, w3", shard));
    if (const int64_t expert = args.expert.value_or(-1); expert < 0 || expert >= experts)
      return Status(Code::failed, fmt::format("expert {} is none of the {}", expert, experts));
    RELOADLAB_TRY(expect_shape(loaded, whole(down)));
    const int64_t places = destination.tensor.size(0);
    const Range range = packed == Stacks::pair ? Range{.length = 2} : share_of(tp, destination.tensor, shard);
    for (int64_t place = 0; place < places; ++place) {
      const int64_t there = by_expert ? replica_at(round, place, places, tp) % experts : place;
      if (there == *args.expert) copy_range(destination.tensor.select(0, place), loaded, range);
    }
    return {};
  }

  WholeShape whole(bool down) const {
    if (packed == Stacks::pair) return {{2}, 1};
    return down ? WholeShape{{hidden / rows_packed, intermediate / packed}, 2}
                : WholeShape{{intermediate / rows_packed, hidden / packed}, 2};
  }
  Range share_of(TensorParallel tp, const at::Tensor& stack, std::string_view shard) const {
    const int64_t share = shard == "w2" ? stack.size(2) : stack.size(1) / 2;
    return {.dim = shard == "w2" ? 1 : 0, .target = shard == "w3" ? share : 0, .source = by_expert ? 0 : share * tp.rank, .length = share};
  }
};

// What engines keep beside the weights, in 32-bit integers; reload code leaves it alone by name.
void add_tables(Layer& layer) {
  const LayerSpec& spec = layer.spec;
  const int64_t places = places_of(spec), experts = spec.integer("experts"), copies = copies_of(spec), local = places / layer.tp.size;
  std::vector<int64_t> map(static_cast<size_t>(places), -1), to_physical(static_cast<size_t>(experts * copies), -1), to_global, own;
  for (int rank = 0; rank < layer.tp.size; ++rank)
    for (int64_t place = 0; place < local; ++place) {
      const int64_t replica = replica_at(dealt_round(spec), place, local, {rank, layer.tp.size});
      const int64_t expert = replica % experts, physical = rank * local + place;
      to_global.push_back(expert);
      to_physical[static_cast<size_t>(expert * copies + replica / experts)] = physical;
      if (rank != layer.tp.rank) continue;
      map[static_cast<size_t>(physical)] = place;
      own.push_back(expert);
    }
  set_values(add_buffer(layer, "_expert_map", {places}, DType::i32, true), map);
  set_values(add_buffer(layer, "expert_global_to_physical", {experts, copies}, DType::i32, true), to_physical);
  set_values(add_buffer(layer, "expert_physical_to_global", {places}, DType::i32, true), to_global);
  set_values(add_buffer(layer, "expert_local_to_global", {local}, DType::i32, true), own);
}

// One row for each token and choice: which of the rank's places computes it, -1 where another rank does. The routing is fixed: token
// t goes to the experts from t·(k+1) on, and odd tokens to second copies.
struct Routes {
  at::Tensor token, place;
};
Routes route(const Layer& layer, int64_t count, const at::Device& device) {
  const int64_t choices = layer.spec.integer("top_k");
  const at::Tensor row = at::arange(count * choices, at::TensorOptions(at::kLong).device(device));
  const at::Tensor token = row.floor_divide(choices);
  const at::Tensor expert = (token + row).remainder(layer.spec.integer("experts"));
  if (!by_expert(layer.spec)) return {token, expert};
  const at::Tensor physical = held(layer, "expert_global_to_physical").index_select(0, expert);
  const at::Tensor first = physical.select(1, 0), second = physical.select(1, physical.size(1) - 1);
  const at::Tensor chosen = at::where(token.remainder(2).eq(1).logical_and(second.ge(0)), second, first);
  return {token, held(layer, "_expert_map").index_select(0, chosen)};
}

class FusedExperts final : public KindBase {
 public:
  FusedExperts()
      : KindBase(
            "fused_experts", "experts in two stacks of matrices, cut or dealt out over ranks; its forward is a partial sum",
            {{.name = "hidden", .required = true, .minimum = 1, .about = "inputs and outputs of an expert"},
             {.name = "intermediate", .required = true, .minimum = 1, .about = "elements between an expert's projections"},
             {.name = "experts", .required = true, .minimum = 1, .about = "experts, as checkpoints number them"},
             {.name = "top_k", .fallback = int64_t{1}, .minimum = 1, .about = "experts that each token goes to"},
             {.name = "parallel",
              .type = KeyInfo::Type::text,
              .fallback = std::string("tensor"),
              .about = "what ranks split: the intermediate elements of every expert, or the experts",
              .choices = "tensor|expert"},
             {.name = "placement",
              .type = KeyInfo::Type::text,
              .fallback = std::string("linear"),
              .about = "with parallel expert, whether a rank has experts that follow one another, or one in so many",
              .choices = "linear|round_robin"},
             {.name = "redundant", .minimum = 0, .about = "with parallel expert, how many of the first experts have a second place"},
             {.name = "names",
              .type = KeyInfo::Type::text,
              .fallback = std::string("gate_proj,down_proj,up_proj"),
              .about = "what checkpoints call w1, w2 and w3 of an expert"},
             {.name = "packed",
              .type = KeyInfo::Type::boolean,
              .fallback = false,
              .about = "checkpoints bring packed int4 weights with scales of groups"},
             {.name = "zero_points", .type = KeyInfo::Type::boolean, .fallback = false, .about = "packed weights have packed zero points"},
             {.name = "group", .fallback = int64_t{32}, .minimum = 1, .about = "of packed weights, inputs that share a scale"},
             {.name = "scales",
              .type = KeyInfo::Type::text,
              .fallback = std::string("none"),
              .about = "whether weights are 8-bit and come with the scales of their blocks of 128×128",
              .choices = "none|block"},
             loader_key()}) {}

  bool is_partial(const LayerSpec&) const override { return true; }

  std::vector<Placement> placements(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp) const override {
    const std::vector<Stacks> stacks = stacks_of(spec);
    const Stacks& of = stacks_with(stacks, delivery.slot);
    const std::string& shard = *delivery.shard;
    if (of.packed == Stacks::pair) return place_pairs(spec, *delivery.expert, tp);
    const Shape matrix = of.whole(shard);
    const int64_t whole = matrix[shard == "w2" ? 1 : 0];
    const Piece share = by_expert(spec) ? Piece{whole, 0, whole} : piece_of(whole, whole, tp);
    std::vector<Placement> all;
    for (const int64_t place : places_on_rank(spec, *delivery.expert, tp)) {
      if (shard == "w2") {
        all.push_back({{0, 0, share.start}, {place, 0, 0}, {1, matrix[0], share.local}});
      } else {
        all.push_back({{0, share.start, 0}, {place, shard == "w3" ? share.local : 0, 0}, {1, share.local, matrix[1]}});
      }
    }
    return all;
  }

  LayerPtr build(const LayerSpec& spec, TensorParallel tp) const override {
    const int64_t experts = spec.integer("experts"), places = by_expert(spec) ? places_of(spec) / tp.size : experts;
    LayerPtr layer = make_layer(spec, tp, "FusedMoE");
    for (const Stacks& stacks : stacks_of(spec)) {
      const int64_t share = stacks.share(spec, tp), rows = stacks.rows_packed;
      const LoadExpert rule{stacks.hidden, stacks.intermediate, experts, by_expert(spec), dealt_round(spec), stacks.packed, rows};
      const auto add = [&](std::string_view shard, at::IntArrayRef shape) {
        set_loader(add_parameter(*layer, stacks.slot(shard), shape, stacks.dtype), rule_loader(layer, rule));
      };
      if (stacks.packed == Stacks::pair) {
        for (const char* shard : {"w1", "w2"}) add(shard, {places, 2});
        continue;
      }
      add("w1", {places, 2 * share / rows, stacks.hidden / stacks.packed});
      add("w2", {places, stacks.hidden / rows, share / stacks.packed});
    }
    if (by_expert(spec)) add_tables(*layer);
    return layer;
  }

  at::Tensor forward(Layer& layer, const at::Tensor& input) const override {
    const at::Tensor w13 = computed(layer, "w13_weight"), w2 = computed(layer, "w2_weight");
    const Routes routes = route(layer, input.size(0), w13.device());
    const at::Tensor place = routes.place.clamp_min(0);
    const at::Tensor x = input.to(w13.scalar_type()).index_select(0, routes.token);
    const at::Tensor both = at::bmm(w13.index_select(0, place), x.unsqueeze(2)).squeeze(2);
    const int64_t share = both.size(1) / 2;
    const at::Tensor gated = at::silu(both.narrow(1, 0, share)) * both.narrow(1, share, share);
    const at::Tensor rows = at::bmm(w2.index_select(0, place), gated.unsqueeze(2)).squeeze(2);
    const at::Tensor mine = rows.masked_fill(routes.place.lt(0).unsqueeze(1), 0);
    const int64_t choices = layer.spec.integer("top_k");
    return mine.view({input.size(0), choices, mine.size(1)}).sum(1) / static_cast<double>(choices);
  }
  at::Tensor example_input(const LayerSpec& spec, TensorParallel, uint64_t seed) const override {
    return example_values({tokens, spec.integer("hidden")}, seed);
  }

 protected:
  std::vector<SlotSpec> own_slots(const LayerSpec& spec, TensorParallel tp) const override {
    std::vector<SlotSpec> slots;
    for (const Stacks& stacks : stacks_of(spec))
      for (const char* shard : {"w1", "w2"})
        slots.push_back({.name = stacks.slot(shard), .shape = stacks.stack(shard, spec, tp), .dtype = stacks.dtype});
    if (by_expert(spec)) append_table_slots(spec, tp, slots);
    return slots;
  }

  std::vector<Delivery> own_deliveries(const LayerSpec& spec) const override {
    const std::vector<std::string_view> names = split_names(spec.text("names"));
    const std::vector<Stacks> both = stacks_of(spec);
    std::vector<Delivery> all;
    for (int64_t expert = 0; expert < spec.integer("experts"); ++expert)
      for (size_t shard = 0; shard < names.size(); ++shard)
        for (const Stacks& stacks : both) {
          const auto prefix = [&](size_t of) { return sibling(spec.name, fmt::format("experts.{}.{}", expert, names[of])); };
          all.push_back(deliver(spec, stacks.suffix, stacks.whole(shard_names[shard]), prefix(shard), shard_names[shard]));
          if (stacks.packed == Stacks::pair && shard_names[shard] == "w3")  // they land where those of w1 do
            all.back().repeats = fmt::format("{}.{}", prefix(0), stacks.suffix);
          all.back().slot = stacks.slot(shard_names[shard]);
          all.back().dtype = stacks.dtype;
          all.back().expert = expert;
        }
    return all;
  }

  Status check_sizes(const LayerSpec& spec, int tp_size) const override {
    const auto refuse = [&](std::string what) { return Status(Code::data, spec.name + ": " + std::move(what)); };
    const int64_t experts = spec.integer("experts"), redundant = spec.integer("redundant");
    if (experts > experts_most) return refuse(fmt::format("{} experts, expected at most {}", experts, experts_most));
    if (spec.integer("top_k") > experts) return refuse(fmt::format("top_k is {}, of {} experts", spec.integer("top_k"), experts));
    if (const size_t count = split_names(spec.text("names")).size(); count != std::size(shard_names))
      return refuse(fmt::format("{} names, expected those of w1, w2 and w3", count));
    if (redundant > experts) return refuse(fmt::format("{} redundant experts of {}: no expert has three places", redundant, experts));
    if (redundant > 0 && !by_expert(spec)) return refuse("redundant experts need parallel: expert");
    RELOADLAB_TRY(by_expert(spec) ? must_divide(spec, "places for experts", experts + redundant, tp_size)
                                  : must_divide(spec, "intermediate elements", spec.integer("intermediate"), tp_size));
    RELOADLAB_TRY(check_scales(spec, tp_size));
    RELOADLAB_TRY(check_packed(spec, tp_size));
    return must_have_loader(spec);
  }

 private:
  // Where w3 stands below w1, and where ranks cut, blocks must meet: a scale is of one part of one rank.
  static Status check_scales(const LayerSpec& spec, int tp_size) {
    if (!scaled(spec)) return {};
    if (spec.dtype != DType::e4m3 && spec.dtype != DType::i8)
      return Status(Code::data, fmt::format("{}: weights are {}, expected e4m3 or i8 with scales", spec.name, dtype_name(spec.dtype)));
    const int64_t whole = spec.integer("intermediate"), share = by_expert(spec) ? whole : whole / tp_size;
    if (share % block == 0) return {};
    return Status(Code::data, fmt::format("{}: {} intermediate elements over {} ranks do not meet at blocks of {}", spec.name, whole,
                                          by_expert(spec) ? 1 : tp_size, block));
  }

  static Status check_packed(const LayerSpec& spec, int tp_size) {
    if (!spec.flag("packed"))
      return spec.flag("zero_points") ? Status(Code::data, spec.name + ": zero points are of packed weights") : Status();
    if (scaled(spec)) return Status(Code::data, spec.name + ": packed weights have scales of groups, not of blocks");
    const int64_t share = spec.integer("intermediate") / (by_expert(spec) ? 1 : tp_size), group = spec.integer("group");
    for (const int64_t inputs : {spec.integer("hidden"), share}) {
      if (inputs % codes_per_word != 0)
        return Status(Code::data, fmt::format("{}: {} inputs cannot be packed by {}", spec.name, inputs, codes_per_word));
      if (inputs % group != 0) return Status(Code::data, fmt::format("{}: {} inputs are no whole groups of {}", spec.name, inputs, group));
    }
    return {};
  }

  static std::vector<Placement> place_pairs(const LayerSpec& spec, int64_t expert, TensorParallel tp) {
    std::vector<Placement> all;
    for (const int64_t place : places_on_rank(spec, expert, tp)) all.push_back({{0, 0}, {place, 0}, {1, 2}});
    return all;
  }

  static at::Tensor unpacked(const Layer& layer, const std::string& slot) {
    if (layer.quant_method) return layer.quant_method->compute_value(layer, slot);
    const at::Tensor &words = held(layer, slot + "_packed"), &scales = held(layer, slot + "_scale");
    const bool zeros = layer.spec.flag("zero_points");
    std::vector<at::Tensor> experts;
    for (int64_t place = 0; place < words.size(0); ++place)
      experts.push_back(dequantized(unpacked_columns(words[place]), scales[place],
                                    zeros ? unpacked_rows(held(layer, slot + "_zero_point")[place]) : at::Tensor()));
    return at::stack(experts);
  }

  static at::Tensor computed(const Layer& layer, const std::string& slot) {
    if (layer.spec.flag("packed")) return unpacked(layer, slot);
    const at::Tensor weight = logical(layer, slot);
    if (!scaled(layer.spec)) return weight;
    const at::Tensor& scales = held(layer, slot + "_scale_inv");
    std::vector<at::Tensor> experts;
    for (int64_t place = 0; place < weight.size(0); ++place) {
      at::Tensor single = weight[place].to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
      experts.push_back(scale_boxes(single, scales[place], block));
    }
    return at::stack(experts);
  }
};

}  // namespace

const LayerKind& fused_experts() {
  static const FusedExperts kind;
  return kind;
}

}  // namespace reloadlab::model
