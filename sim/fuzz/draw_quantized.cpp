#include "sim/fuzz/draw_quantized.h"

#include <algorithm>

#include "reference/base/check.h"
#include "sim/fuzz/draw_kinds.h"

namespace reloadlab::sim::fuzz {
namespace {

using model::LayerSpec;

// Multiples of these suit whatever has tiles of 64, groups of up to 128 elements, or blocks.
constexpr int64_t tile = 64, widest = 128;

// Each takes as many choices as the others, so that another home for a method leaves what comes behind it as it is.
struct Sizes {
  int64_t wide, narrow, group;
  bool bias, split, dealt;
  std::string loader, placement;
};

Sizes draw_sizes(Drawing& d) {
  Sizes sizes;
  sizes.wide = d.small(1, 2), sizes.narrow = d.small(1, 9);
  sizes.group = Shape{32, 16, 8}[static_cast<size_t>(d.small(0, 2))];
  sizes.bias = d.flip(), sizes.split = d.flip(), sizes.dealt = d.flip();
  sizes.loader = d.cutting_loader(), sizes.placement = d.word({"linear", "round_robin"});
  return sizes;
}

// Parts that are no tiles, of which tiles are made.
Shape parts_of_tiles(const Sizes& s, int ranks) {
  const int64_t half = tile / 2 * ranks;
  return s.split ? Shape{half, half * 2, half} : Shape{half, half};
}

LayerSpec column(const Sizes& s, int ranks) {
  return layer_of("", "column_parallel_linear", {{"in", widest * s.wide}, {"out", tile * ranks}, {"bias", s.bias}, {"loader", s.loader}});
}

LayerSpec row(const Sizes& s, int ranks) {
  return layer_of("", "row_parallel_linear", {{"in", widest * ranks}, {"out", tile * s.wide}, {"bias", s.bias}, {"loader", s.loader}});
}

LayerSpec quantized_replicated(const Sizes& s, int) {
  return layer_of("", "replicated_linear", {{"in", widest}, {"out", tile}, {"bias", s.bias}, {"loader", s.loader}});
}

LayerSpec quantized_merged(const Sizes& s, int ranks) {
  return layer_of("", "merged_column_parallel_linear",
                  {{"in", widest}, {"outs", parts_of_tiles(s, ranks)}, {"bias", s.bias}, {"loader", s.loader}});
}

// 64 rows a rank: queries half, keys and values a quarter each. One key-value head is what every rank has.
LayerSpec quantized_qkv(const Sizes& s, int ranks) {
  return layer_of("", "qkv_parallel_linear",
                  {{"hidden", widest}, {"heads", int64_t{2} * ranks}, {"kv_heads", s.split ? int64_t{1} : ranks}, {"head_dim", tile / 4}});
}

LayerSpec quantized_packed(const Sizes& s, int ranks) {
  return layer_of("", "packed_column_parallel_linear",
                  {{"in", tile}, {"outs", parts_of_tiles(s, ranks)}, {"group", s.group}, {"zero_points", s.bias}, {"loader", s.loader}});
}

LayerSpec quantized_packed_rows(const Sizes& s, int ranks) {
  return layer_of("", "packed_row_parallel_linear",
                  {{"in", tile * ranks}, {"out", tile}, {"group", s.group}, {"zero_points", s.bias}, {"loader", s.loader}});
}

LayerSpec scaled_parts(const Sizes& s, int ranks) {
  return layer_of(
      "", "scaled_column_parallel_linear",
      {{"in", s.narrow}, {"outs", Shape{ranks * s.wide, ranks * s.narrow}}, {"scales", std::string("tensor")}, {"loader", s.loader}});
}

// Blocks at the edges are cut where the layer is one piece; otherwise parts and ranks meet at blocks.
LayerSpec scaled_blocks(const Sizes& s, int ranks) {
  const Shape one{ranks == 1 ? widest + s.narrow : widest * ranks};
  return layer_of("", "scaled_column_parallel_linear",
                  {{"in", widest + s.narrow},
                   {"outs", s.split ? Shape{widest * ranks, widest * ranks} : one},
                   {"scales", std::string("block")},
                   {"loader", s.loader}});
}

LayerSpec quantized_scaled_rows(const Sizes& s, int ranks) {
  return layer_of("", "scaled_row_parallel_linear",
                  {{"in", s.split ? widest * ranks : ranks * s.wide},
                   {"out", s.narrow},
                   {"scales", std::string(s.split ? "block" : "tensor")},
                   {"loader", s.loader}});
}

// Cut or dealt out, each with whole groups; second places need experts that ranks divide.
Values quantized_experts(const Sizes& s, int ranks, int64_t hidden, int64_t intermediate) {
  return {{"hidden", hidden},
          {"intermediate", s.dealt ? intermediate : intermediate * ranks},
          {"experts", s.dealt ? int64_t{ranks} : int64_t{2}},
          {"redundant", s.dealt && s.split ? int64_t{ranks} : int64_t{0}},
          {"parallel", std::string(s.dealt ? "expert" : "tensor")},
          {"placement", s.placement},
          {"loader", s.loader}};
}

LayerSpec wide_experts(const Sizes& s, int ranks) { return layer_of("", "fused_experts", quantized_experts(s, ranks, widest, widest)); }
LayerSpec narrow_experts(const Sizes& s, int ranks) { return layer_of("", "fused_experts", quantized_experts(s, ranks, tile, tile / 2)); }

LayerSpec packed_experts(const Sizes& s, int ranks) {
  Values values = quantized_experts(s, ranks, tile, tile / 2);
  values["packed"] = true;
  values["group"] = s.group;
  return layer_of("", "fused_experts", std::move(values));
}

LayerSpec scaled_experts(const Sizes& s, int ranks) {
  Values values = quantized_experts(s, ranks, s.narrow, s.wide);
  values["scales"] = std::string("tensor");
  return layer_of("", "fused_experts", std::move(values));
}

struct Home {
  LayerSpec (*make)(const Sizes& sizes, int ranks);
  bool comes_quantized = false;  // as e4m3
};
constexpr Home homes[] = {{column},
                          {quantized_replicated},
                          {row},
                          {quantized_merged},
                          {quantized_qkv},
                          {quantized_packed},
                          {narrow_experts},
                          {wide_experts},
                          {packed_experts},
                          {quantized_packed_rows},
                          {scaled_parts, true},
                          {scaled_blocks, true},
                          {quantized_scaled_rows, true},
                          {scaled_experts, true}};

bool has_one_weight(const LayerSpec& spec) {
  return model::find_slot(model::find_layer_kind(spec.kind)->slots(spec, {}), "weight") != nullptr;
}

// Defects, what leaves nobody a name to load after its layer is complete, and a filled slot, which quantizes nothing.
bool is_special(std::string_view id) { return id.starts_with("drifting") || id.starts_with("renamed") || id == "fills_cache"; }

std::vector<LayerSpec> homes_of(const model::QuantInfo& method, const Sizes& sizes, DType precision, int ranks) {
  std::vector<LayerSpec> fitting;
  for (const Home& home : homes) {
    LayerSpec spec = home.make(sizes, ranks);
    spec.dtype = home.comes_quantized ? DType::e4m3 : precision;
    if (suits(method, spec, ranks)) fitting.push_back(std::move(spec));
  }
  return fitting;
}

}  // namespace

const std::vector<const model::QuantInfo*>& sound_methods() {
  static const std::vector<const model::QuantInfo*> sound = [] {
    std::vector<const model::QuantInfo*> found;
    for (const model::QuantInfo& method : model::quant_methods())
      if (method.id != "none" && !is_special(method.id)) found.push_back(&method);
    return found;
  }();
  return sound;
}

bool suits(const model::QuantInfo& method, const LayerSpec& spec, int ranks) {
  const std::vector<model::SlotSpec> slots = model::find_layer_kind(spec.kind)->slots(spec, {0, ranks});
  if (std::ranges::any_of(slots, [](const model::SlotSpec& slot) { return slot.alias_of.has_value(); })) return method.id == "none";
  return method.check(slots).ok();
}

void draw_quantized(std::vector<LayerSpec>& layers, const std::string& name, Drawing& d) {
  Choices::Scope about(d.choices, About::quant);
  const model::QuantInfo& method = *d.choices.pick(sound_methods());
  const Sizes sizes = draw_sizes(d);
  const DType precision = d.choices.pick({DType::bf16, DType::f32});
  std::vector<LayerSpec> fitting = homes_of(method, sizes, precision, d.ranks);
  const uint32_t home = d.choices.below(std::size(homes));
  const bool tied = d.choices.chance(25, d.swarm.ties);
  RELOADLAB_CHECK(!fitting.empty(), std::string(method.id));
  LayerSpec spec = std::move(fitting[home % fitting.size()]);
  spec.name = name;
  spec.quant = method.id;
  layers.push_back(spec);
  if (!tied || !method.takes_ties || !has_one_weight(spec)) return;
  spec.name = name + ".tied";
  spec.tied_to = name + ".weight";
  layers.push_back(std::move(spec));
}

}  // namespace reloadlab::sim::fuzz
