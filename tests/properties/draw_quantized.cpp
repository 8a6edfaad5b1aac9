#include "tests/properties/draw_quantized.h"

#include <algorithm>

#include "tests/properties/draw_values.h"

namespace reloadlab::sim {
namespace {

using model::LayerSpec;

// Multiples of these suit whatever has tiles of 64, groups of up to 128 elements, or blocks.
constexpr int64_t tile = 64, widest = 128;

DType draw_precision() { return *rc::gen::element(DType::bf16, DType::f32); }

LayerSpec draw_column(int ranks) {
  return layer("", "column_parallel_linear",
               {{"in", widest * draw_between(1, 2)}, {"out", tile * ranks}, {"bias", flip()}, {"loader", draw_cutting_loader()}});
}

LayerSpec draw_row(int ranks) {
  return layer("", "row_parallel_linear",
               {{"in", widest * ranks}, {"out", tile * draw_between(1, 2)}, {"bias", flip()}, {"loader", draw_cutting_loader()}});
}

LayerSpec draw_quantized_replicated(int) {
  return layer("", "replicated_linear",
               {{"in", widest}, {"out", tile}, {"bias", flip()}, {"loader", draw_word({"bound", "free", "none"})}});
}

// Parts that are no tiles, of which tiles are made.
Shape draw_parts_of_tiles(int ranks) {
  const int64_t half = tile / 2 * ranks;
  return flip() ? Shape{half, half} : Shape{half, half * 2, half};
}

LayerSpec draw_quantized_merged(int ranks) {
  return layer("", "merged_column_parallel_linear",
               {{"in", widest}, {"outs", draw_parts_of_tiles(ranks)}, {"bias", flip()}, {"loader", draw_cutting_loader()}});
}

// 64 rows a rank: queries half, keys and values a quarter each. One key-value head is what every rank has.
LayerSpec draw_quantized_qkv(int ranks) {
  return layer("", "qkv_parallel_linear",
               {{"hidden", widest}, {"heads", int64_t{2} * ranks}, {"kv_heads", flip() ? ranks : int64_t{1}}, {"head_dim", tile / 4}});
}

LayerSpec draw_quantized_packed(int ranks) {
  return layer("", "packed_column_parallel_linear",
               {{"in", tile},
                {"outs", draw_parts_of_tiles(ranks)},
                {"group", *rc::gen::elementOf(Shape{0, 8, 16, 32})},
                {"zero_points", flip()},
                {"loader", draw_cutting_loader()}});
}

LayerSpec draw_scaled_parts(int ranks) {
  return layer("", "scaled_column_parallel_linear",
               {{"in", draw_between(1, 9)},
                {"outs", Shape{ranks * draw_between(1, 4), ranks * draw_between(1, 4)}},
                {"scales", std::string("tensor")},
                {"loader", draw_cutting_loader()}});
}

// Blocks at the edges are cut where the layer is one piece; otherwise parts and ranks meet at blocks.
LayerSpec draw_scaled_blocks(int ranks) {
  Shape outs{widest * ranks};
  if (ranks == 1) outs = flip() ? Shape{draw_between(1, 2 * widest)} : Shape{widest, widest};
  return layer("", "scaled_column_parallel_linear",
               {{"in", draw_between(1, widest + 9)}, {"outs", outs}, {"scales", std::string("block")}, {"loader", draw_cutting_loader()}});
}

LayerSpec draw_quantized_packed_rows(int ranks) {
  return layer("", "packed_row_parallel_linear",
               {{"in", tile * ranks},
                {"out", tile},
                {"group", *rc::gen::elementOf(Shape{0, 8, 16, 32})},
                {"zero_points", flip()},
                {"loader", draw_cutting_loader()}});
}

LayerSpec draw_quantized_scaled_rows(int ranks) {
  const bool blocks = flip();
  return layer("", "scaled_row_parallel_linear",
               {{"in", ranks == 1 ? draw_between(1, widest + 9)
                       : blocks   ? widest * ranks
                                  : ranks * draw_between(1, 4)},
                {"out", draw_between(1, widest + 9)},
                {"scales", std::string(blocks ? "block" : "tensor")},
                {"loader", draw_cutting_loader()}});
}

// Cut or dealt out, each with whole groups; second places need experts that ranks divide.
Values draw_quantized_experts(int ranks, int64_t hidden, int64_t intermediate) {
  const bool dealt = flip();
  const int64_t redundant = dealt && flip() ? ranks : 0;
  return {{"hidden", hidden},
          {"intermediate", dealt ? intermediate : intermediate * ranks},
          {"experts", dealt ? int64_t{ranks} : int64_t{2}},
          {"redundant", redundant},
          {"parallel", std::string(dealt ? "expert" : "tensor")},
          {"placement", draw_word({"linear", "round_robin"})},
          {"loader", draw_cutting_loader()}};
}

LayerSpec draw_wide_experts(int ranks) { return layer("", "fused_experts", draw_quantized_experts(ranks, widest, widest)); }
LayerSpec draw_narrow_experts(int ranks) { return layer("", "fused_experts", draw_quantized_experts(ranks, tile, tile / 2)); }

LayerSpec draw_packed_experts(int ranks) {
  Values values = draw_quantized_experts(ranks, tile, tile / 2);
  values["packed"] = true;
  values["group"] = *rc::gen::elementOf(Shape{8, 16, 32});
  return layer("", "fused_experts", std::move(values));
}

LayerSpec draw_quantized_scaled_experts(int ranks) {
  Values values = draw_quantized_experts(ranks, draw_between(1, widest), draw_between(1, 9));
  values["scales"] = std::string("tensor");
  return layer("", "fused_experts", std::move(values));
}

struct Home {
  LayerSpec (*draw)(int ranks);
  bool comes_quantized = false;  // as e4m3
};
constexpr Home homes[] = {{draw_column},
                          {draw_row},
                          {draw_quantized_replicated},
                          {draw_quantized_merged},
                          {draw_quantized_qkv},
                          {draw_quantized_packed},
                          {draw_wide_experts},
                          {draw_narrow_experts},
                          {draw_packed_experts},
                          {draw_quantized_packed_rows},
                          {draw_scaled_parts, true},
                          {draw_scaled_blocks, true},
                          {draw_quantized_scaled_rows, true},
                          {draw_quantized_scaled_experts, true}};

LayerSpec draw_home(const Home& home, int ranks) {
  LayerSpec spec = home.draw(ranks);
  spec.dtype = home.comes_quantized ? DType::e4m3 : draw_precision();
  return spec;
}

bool has_one_weight(const LayerSpec& spec) {
  return model::find_slot(model::find_layer_kind(spec.kind)->slots(spec, {}), "weight") != nullptr;
}

// Defects, what leaves nobody a name to load after its layer is complete, and a filled slot, which quantizes nothing.
bool is_special(std::string_view id) { return id.starts_with("drifting") || id.starts_with("renamed") || id == "fills_cache"; }

}  // namespace

std::vector<const model::QuantInfo*> sound_methods() {
  std::vector<const model::QuantInfo*> sound;
  for (const model::QuantInfo& method : model::quant_methods())
    if (method.id != "none" && !is_special(method.id)) sound.push_back(&method);
  return sound;
}

bool suits(const model::QuantInfo& method, const LayerSpec& spec, int ranks) {
  const std::vector<model::SlotSpec> slots = model::find_layer_kind(spec.kind)->slots(spec, {0, ranks});
  for (const model::SlotSpec& slot : slots)
    if (slot.alias_of) return method.id == "none";
  return method.check(slots).ok();
}

void draw_quantized(std::vector<LayerSpec>& layers, const std::string& name, int ranks) {
  const model::QuantInfo& method = **rc::gen::elementOf(sound_methods());
  std::vector<LayerSpec> fitting;
  for (const Home& home : homes)
    if (LayerSpec spec = draw_home(home, ranks); suits(method, spec, ranks)) fitting.push_back(std::move(spec));
  if (fitting.empty()) RC_FAIL("no drawn layer has the sizes of " + std::string(method.id));
  LayerSpec spec = std::move(fitting[*rc::gen::inRange<size_t>(0, fitting.size())]);
  spec.name = name;
  spec.quant = method.id;
  layers.push_back(spec);
  if (!method.takes_ties || !has_one_weight(spec) || *rc::gen::inRange(0, 4) > 0) return;
  spec.name = name + ".tied";
  spec.tied_to = name + ".weight";
  layers.push_back(std::move(spec));
}

}  // namespace reloadlab::sim
