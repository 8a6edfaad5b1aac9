#include "reference/model/kinds/expert_stacks.h"

#include <fmt/format.h>

#include <algorithm>

#include "reference/model/kinds/kind_base.h"
#include "reference/model/kinds/shards.h"
#include "reference/model/quant/packed.h"

namespace reloadlab::model {
namespace {

constexpr std::string_view shard_names[] = {"w1", "w2", "w3"};

// Where w3 stands below w1, and where ranks cut, blocks must meet: a scale is of one part of one rank.
Status check_scales(const LayerSpec& spec, int ranks) {
  if (spec.text("scales") == "none") return {};
  if (spec.dtype != DType::e4m3 && spec.dtype != DType::i8)
    return Status(Code::data, fmt::format("{}: weights are {}, expected e4m3 or i8 with scales", spec.name, dtype_name(spec.dtype)));
  if (has_tensor_scales(spec)) return {};
  const int64_t whole = spec.integer("intermediate"), share = by_expert(spec) ? whole : whole / ranks;
  if (share % expert_block == 0) return {};
  return Status(Code::data, fmt::format("{}: {} intermediate elements over {} ranks do not meet at blocks of {}", spec.name, whole,
                                        by_expert(spec) ? 1 : ranks, expert_block));
}

Status check_packed(const LayerSpec& spec, int ranks) {
  if (!spec.flag("packed"))
    return spec.flag("zero_points") ? Status(Code::data, spec.name + ": zero points are of packed weights") : Status();
  if (spec.text("scales") != "none") return Status(Code::data, spec.name + ": packed weights have scales of groups, and no others");
  const int64_t share = spec.integer("intermediate") / (by_expert(spec) ? 1 : ranks), group = spec.integer("group");
  for (const int64_t inputs : {spec.integer("hidden"), share}) {
    if (inputs % codes_per_word != 0)
      return Status(Code::data, fmt::format("{}: {} inputs cannot be packed by {}", spec.name, inputs, codes_per_word));
    if (inputs % group != 0) return Status(Code::data, fmt::format("{}: {} inputs are no whole groups of {}", spec.name, inputs, group));
  }
  return {};
}

}  // namespace

bool by_expert(const LayerSpec& spec) { return spec.text("parallel") == "expert"; }
TensorParallel split_over(const LayerSpec& spec, TensorParallel tp) { return by_expert(spec) ? tp.over_all() : tp; }
bool has_block_scales(const LayerSpec& spec) { return spec.text("scales") == "block"; }
bool has_tensor_scales(const LayerSpec& spec) { return spec.text("scales") == "tensor"; }

Shape Stacks::matrix(std::string_view shard, int64_t share) const {
  if (packed == pair) return {2};
  if (packed == number) return {1};
  return shard == "w2" ? Shape{hidden / rows_packed, share / packed} : Shape{share / rows_packed, hidden / packed};
}

std::string Stacks::slot(std::string_view shard) const { return fmt::format("{}_{}", shard == "w2" ? "w2" : "w13", suffix); }

std::vector<Stacks> stacks_of(const LayerSpec& spec) {
  const int64_t hidden = spec.integer("hidden"), intermediate = spec.integer("intermediate"), group = spec.integer("group");
  if (spec.flag("packed")) {
    std::vector<Stacks> all{{"weight_packed", hidden, intermediate, DType::i32, codes_per_word},
                            {"weight_scale", hidden, intermediate, spec.dtype, group},
                            {"weight_shape", hidden, intermediate, DType::i64, Stacks::pair}};
    if (spec.flag("zero_points")) all.push_back({"weight_zero_point", hidden, intermediate, DType::i32, group, codes_per_word});
    return all;
  }
  const auto blocks = [](int64_t elements) { return round_up(elements, expert_block) / expert_block; };
  std::vector<Stacks> all{{"weight", hidden, intermediate, spec.dtype}};
  if (has_block_scales(spec)) all.push_back({"weight_scale_inv", blocks(hidden), blocks(intermediate), DType::f32});
  if (has_tensor_scales(spec)) all.push_back({"weight_scale", hidden, intermediate, DType::f32, Stacks::number});
  return all;
}

const Stacks& stacks_with(const std::vector<Stacks>& all, std::string_view slot) {
  return *std::ranges::find(all, slot.substr(slot.find('_') + 1), &Stacks::suffix);
}

std::vector<SlotSpec> stack_slots(const LayerSpec& spec, TensorParallel tp) {
  const int64_t experts = spec.integer("experts");
  const int64_t places = by_expert(spec) ? (experts + spec.integer("redundant")) / tp.size : experts;
  std::vector<SlotSpec> slots;
  for (const Stacks& stacks : stacks_of(spec))
    for (const std::string_view shard : {"w1", "w2"}) {
      Shape shape = stacks.matrix(shard, by_expert(spec) ? stacks.intermediate : stacks.intermediate / tp.size);
      if (shard == "w1" && stacks.packed != Stacks::pair) shape[0] *= 2;
      if (shard == "w2" && stacks.packed == Stacks::number) shape.clear();
      shape.insert(shape.begin(), places);
      slots.push_back({.name = stacks.slot(shard), .shape = std::move(shape), .dtype = stacks.dtype});
    }
  return slots;
}

std::vector<Delivery> stack_deliveries(const LayerSpec& spec) {
  const std::vector<std::string_view> names = split_names(spec.text("names"));
  const std::vector<Stacks> each = stacks_of(spec);
  std::vector<Delivery> all;
  for (int64_t expert = 0; expert < spec.integer("experts"); ++expert)
    for (size_t shard = 0; shard < names.size(); ++shard)
      for (const Stacks& stacks : each) {
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

Status check_stack_sizes(const LayerSpec& spec, int ranks) {
  if (const size_t count = split_names(spec.text("names")).size(); count != std::size(shard_names))
    return Status(Code::data, fmt::format("{}: {} names, expected those of w1, w2 and w3", spec.name, count));
  RELOADLAB_TRY(check_packed(spec, ranks));
  return check_scales(spec, ranks);
}

}  // namespace reloadlab::model
