#include "tests/properties/draw_layers.h"

#include "tests/properties/draw_quantized.h"
#include "tests/properties/draw_values.h"

namespace reloadlab::sim {
namespace {

using model::LayerSpec;
using Layers = std::vector<LayerSpec>;

// Sizes are multiples of this, so that every drawn rank count divides them.
constexpr int64_t unit = 12;

int64_t draw_size() { return unit * draw_between(1, 3); }
double draw_pad_value() { return static_cast<double>(draw_between(-2, 2)); }

// Sizes of a linear layer that may fall short of what its dimensions are padded to.
Values draw_linear() {
  const int64_t in = draw_size(), out = draw_size();
  Values values{{"in", in}, {"out", out}, {"bias", flip()}, {"loader", draw_cutting_loader()}};
  if (flip()) return values;
  values["in"] = in - draw_between(0, unit - 1);
  values["out"] = out - draw_between(0, unit - 1);
  values["pad_rows_to"] = values["pad_cols_to"] = unit;
  values["pad_value"] = draw_pad_value();
  return values;
}

Values draw_merged() {
  return {{"in", draw_size()}, {"outs", Shape{draw_size(), draw_size()}}, {"bias", flip()}, {"loader", draw_cutting_loader()}};
}

// One key-value head is fewer than the ranks, which then replicate it.
Values draw_qkv() {
  return {{"hidden", draw_size()},  {"heads", unit},  {"kv_heads", *rc::gen::elementOf(Shape{unit, 1})},
          {"head_dim", int64_t{2}}, {"bias", flip()}, {"loader", draw_cutting_loader()}};
}

Values draw_vocab() {
  return {{"vocab", draw_size() - draw_between(0, unit - 1)},
          {"hidden", draw_between(1, 6)},
          {"pad_to", unit},
          {"pad_value", draw_pad_value()},
          {"loader_pads", flip()},
          {"loader", draw_cutting_loader()}};
}

Values draw_norm() { return {{"hidden", draw_size()}, {"bias", flip()}}; }

Values draw_embedding() { return {{"rows", draw_size()}, {"hidden", draw_between(1, 6)}}; }

Values draw_composed() {
  return {{"size", draw_size()},
          {"transform", draw_word({"negative_exp", "negate"})},
          {"order", draw_word({"a_first", "a_last"})},
          {"loader", draw_cutting_loader()}};
}

Values draw_scalars() {
  return {{"rows", draw_size()},
          {"columns", draw_size()},
          {"scales", draw_between(0, 2)},
          {"scale_dims", draw_between(0, 1)},
          {"trailing", draw_between(0, 3)},
          {"shape_deliveries", draw_between(0, 1)},
          {"loader", draw_cutting_loader()}};
}

Values draw_attention() {
  const bool delivered = flip(), scales = flip();
  return {{"heads", draw_size()},
          {"class", draw_word({"attention", "mla_attention", "encoder_attention"})},
          {"scales", scales},
          {"query_scales", scales && flip()},
          {"scales_delivered", delivered},
          {"host_copies", flip()},
          {"sinks", flip()},
          {"workspace", draw_between(0, 2)},
          {"loader", draw_cutting_loader()}};
}

// Of sizes that kernels have tiles for, whatever the ranks.
Values draw_tiled_experts() {
  const bool packed = flip();
  return {{"hidden", int64_t{64}},
          {"intermediate", int64_t{32}},
          {"experts", unit},
          {"parallel", std::string("expert")},
          {"placement", draw_word({"linear", "round_robin"})},
          {"packed", packed},
          {"zero_points", packed && flip()},
          {"loader", draw_cutting_loader()}};
}

// Cut, or dealt out with some experts at two places.
Values draw_experts() {
  const int64_t redundant = flip() ? draw_between(1, unit / 2) : 0;
  if (flip()) return draw_tiled_experts();
  return {{"hidden", draw_between(1, 6)},
          {"intermediate", unit},
          {"experts", unit - redundant},
          {"redundant", redundant},
          {"parallel", redundant > 0 ? std::string("expert") : draw_word({"tensor", "expert"})},
          {"placement", draw_word({"linear", "round_robin"})},
          {"loader", draw_cutting_loader()}};
}

Values draw_mla() {
  return {{"heads", unit},
          {"qk_nope_head_dim", draw_between(1, 3)},
          {"v_head_dim", draw_between(1, 3)},
          {"kv_lora_rank", draw_between(1, 4)},
          {"loader", draw_cutting_loader()}};
}

Values draw_rotary() { return {{"rotary_dim", 2 * draw_between(1, 3)}, {"max_position", draw_between(1, 6)}}; }

Values draw_mixer() {
  return {{"channels", draw_size()},
          {"state", draw_between(1, 6)},
          {"conv_kernel", draw_between(1, 4)},
          {"order", draw_word({"a_first", "a_last"})},
          {"loader", draw_cutting_loader()}};
}

Values draw_replicated() {
  return {
      {"in", draw_between(1, 6)}, {"out", draw_size()}, {"bias", flip()}, {"correction_bias", flip()}, {"loader", draw_cutting_loader()}};
}

// Eight codes share a word, of zero points too.
Values draw_packed() {
  return {{"in", 8 * draw_between(1, 3)},
          {"outs", Shape{8 * unit, 8 * unit}},
          {"group", *rc::gen::elementOf(Shape{8, 0})},
          {"zero_points", flip()},
          {"loader", draw_cutting_loader()}};
}

Values draw_scaled() {
  return {{"in", draw_between(1, 6)},
          {"outs", Shape{draw_size(), draw_size()}},
          {"scales", draw_word({"channel", "tensor"})},
          {"loader", draw_cutting_loader()}};
}

Values draw_scaled_whole() {
  return {{"in", draw_between(1, 6)},
          {"out", draw_between(1, 6)},
          {"scales", draw_word({"channel", "tensor", "block"})},
          {"loader", draw_cutting_loader()}};
}

Values draw_packed_rows() {
  return {{"in", 8 * unit},
          {"out", int64_t{8}},
          {"group", *rc::gen::elementOf(Shape{8, 0})},
          {"zero_points", flip()},
          {"loader", draw_cutting_loader()}};
}

Values draw_scaled_rows() {
  return {
      {"in", draw_size()}, {"out", draw_between(1, 6)}, {"scales", draw_word({"channel", "tensor"})}, {"loader", draw_cutting_loader()}};
}

// A block of scales of each expert's gate, one of its up projection.
Values draw_scaled_experts() {
  return {{"hidden", draw_between(1, 6)},
          {"intermediate", int64_t{128}},
          {"experts", unit},
          {"parallel", std::string("expert")},
          {"placement", draw_word({"linear", "round_robin"})},
          {"scales", std::string("block")},
          {"loader", draw_cutting_loader()}};
}

Values draw_hadamard() { return {{"size", draw_between(1, 6)}}; }

// Routes whose extent can be told; the others are refused, which is not what these properties are about.
Values draw_custom() {
  return {{"rows", draw_between(1, 6)},
          {"columns", draw_between(1, 6)},
          {"via",
           draw_word({"copy", "rows", "steps", "transpose", "flat", "bytes", "twice", "temporary", "broadcast", "foreach", "index_put"})},
          {"bias", flip()},
          {"loader", draw_cutting_loader()}};
}

// The flags of the kind that is made of parts. Strides are those of a matrix whose rows lie apart.
Values draw_parts() {
  const int64_t rows = draw_between(1, 4), columns = draw_between(1, 4);
  Values values{
      {"shape", Shape{rows, columns}}, {"bias", draw_word({"none", "loaded", "empty"})}, {"loader", draw_word({"bound", "free", "none"})}};
  const std::string layout = draw_word({"dense", "strided", "two names"});
  if (layout == "strided") values["strides"] = Shape{columns + draw_between(0, 3), 1};
  if (layout == "two names") values["second_name"] = std::string("weight_t");
  if (flip()) values["buffer"] = Shape{draw_between(1, 4)};
  if (flip()) values["constant"] = Shape{draw_between(1, 4)};
  if (flip()) values["expanded"] = Shape{draw_between(1, 3), draw_between(1, 3)};
  if (flip()) values["skip"] = draw_word({"_expert_map", "expert_mask", "expert_local_to_global"});
  values["buffer_persistent"] = flip();
  values["constant_persistent"] = flip();
  values["empty_buffer"] = flip();
  values["lazy"] = flip();
  return values;
}

struct Kind {
  const char* id;
  Values (*draw)();
  bool in_bytes = false;  // its weights are
};
constexpr Kind kinds[] = {
    {"norm", draw_norm},
    {"column_parallel_linear", draw_linear},
    {"row_parallel_linear", draw_linear},
    {"merged_column_parallel_linear", draw_merged},
    {"qkv_parallel_linear", draw_qkv},
    {"vocab_parallel_embedding", draw_vocab},
    {"embedding", draw_embedding},
    {"parallel_lm_head", draw_vocab},
    {"composed", draw_composed},
    {"scalars", draw_scalars},
    {"attention", draw_attention},
    {"hadamard", draw_hadamard},
    {"custom_loader", draw_custom},
    {"buffers", draw_parts},
    {"fused_experts", draw_experts},
    {"mla_attention", draw_mla},
    {"rotary_embedding", draw_rotary},
    {"mamba_mixer", draw_mixer},
    {"replicated_linear", draw_replicated},
    {"packed_column_parallel_linear", draw_packed},
    {"scaled_column_parallel_linear", draw_scaled, true},
    {"packed_row_parallel_linear", draw_packed_rows},
    {"scaled_row_parallel_linear", draw_scaled_rows, true},
    {"scaled_replicated_linear", draw_scaled_whole, true},
    {"fused_experts", draw_scaled_experts, true},
};

// Any method that suits the layer and is no defect.
std::string draw_quant(const LayerSpec& spec, int ranks) {
  std::vector<std::string> fitting{"none"};
  for (const model::QuantInfo* method : sound_methods())
    if (suits(*method, spec, ranks)) fitting.emplace_back(method->id);
  return flip() ? "none" : draw_word(std::move(fitting));
}

LayerSpec draw_layer(std::string name, int ranks) {
  const Kind& kind = kinds[*rc::gen::inRange<size_t>(0, std::size(kinds))];
  LayerSpec spec = layer(std::move(name), kind.id, kind.draw());
  spec.dtype = kind.in_bytes ? *rc::gen::element(DType::e4m3, DType::i8) : *rc::gen::element(DType::bf16, DType::f32, DType::f16);
  spec.quant = draw_quant(spec, ranks);
  return spec;
}

void draw_tree(Layers& layers, const std::string& name, int ranks, int depth) {
  layers.push_back(draw_layer(name, ranks));
  const int64_t children = depth == 0 ? 0 : draw_between(0, 2);
  for (int64_t child = 0; child < children; ++child) draw_tree(layers, name + "." + std::to_string(child) + ".it", ranks, depth - 1);
}

// A buffer that is a view of the layer's own weight, or of its child's.
void draw_view(Layers& layers, const std::string& name) {
  const bool own = flip();
  const int64_t rows = draw_between(1, 4), columns = draw_between(1, 4), start = draw_between(0, rows * columns - 1);
  Values parent{{"shape", own ? Shape{rows, columns} : Shape{2}}, {"bias", draw_word({"none", "loaded", "empty"})}};
  parent["view_of"] = std::string(own ? "weight" : "conv.weight");
  parent["view_start"] = start;
  parent["view_shape"] = Shape{draw_between(1, rows * columns - start)};
  layers.push_back(layer(name, "buffers", std::move(parent)));
  if (!own) layers.push_back(layer(name + ".conv", "buffers", {{"shape", Shape{rows, columns}}, {"bias", draw_word({"none", "loaded"})}}));
}

// A head that is the embedding, its vocabulary padded.
void draw_tied_head(Layers& layers, const std::string& name, int ranks) {
  const Values rows = draw_vocab();
  layers.push_back(layer(name, "vocab_parallel_embedding", rows));
  if (flip()) draw_tree(layers, name + ".between.it", ranks, 0);
  layers.push_back(layer(name + ".head", "parallel_lm_head", rows));
  layers.back().tied_to = name + ".weight";
  if (flip()) return;
  const std::string method = draw_word({"fp8_per_tensor", "fp8_per_channel", "int8_per_channel"});
  for (LayerSpec& each : layers)
    if (each.name == name || each.name == name + ".head") each.quant = method;
}

// A layer that reads what its child holds: absorbed matrices, a view, or adapters over a base layer.
void draw_reader(Layers& layers, const std::string& name) {
  const std::string which = draw_word({"mla_attention", "mamba_mixer", "lora_adapter"});
  const int64_t in = draw_size(), out = draw_size();
  Values child{{"in", in}, {"out", out}, {"bias", flip()}};
  if (which == "mla_attention") {
    child = {{"in", in}, {"out", 3 * unit}};
    layers.push_back(layer(name, which,
                           {{"heads", unit},
                            {"qk_nope_head_dim", int64_t{1}},
                            {"v_head_dim", int64_t{2}},
                            {"kv_lora_rank", in},
                            {"kv_b", std::string("kv_b_proj.weight")}}));
    layers.push_back(layer(name + ".kv_b_proj", "column_parallel_linear", std::move(child)));
    layers.back().quant = draw_word({"none", "fp8_per_tensor", "fp8_per_channel", "fp8_block", "int8_per_channel"});
  } else if (which == "mamba_mixer") {
    layers.push_back(
        layer(name, which, {{"channels", out}, {"state", draw_between(1, 6)}, {"conv_kernel", in}, {"conv", std::string("child")}}));
    layers.push_back(layer(name + ".conv1d", "column_parallel_linear", std::move(child)));
  } else {
    const std::string split = draw_word({"column", "row"});
    layers.push_back(layer(name, which,
                           {{"in", in},
                            {"out", out},
                            {"rank", draw_between(1, 3)},
                            {"slots", int64_t{2}},
                            {"delivered", draw_between(0, 2)},
                            {"split", split},
                            {"stacks", draw_word({"parameters", "buffers"})}}));
    layers.push_back(layer(name + ".base_layer", split + "_parallel_linear", std::move(child)));
  }
}

// The tied layer has loads of its own as well.
void draw_tied_with_own_load(Layers& layers, const std::string& name) {
  const int64_t rows = draw_size(), columns = draw_size();
  layers.push_back(layer(name, "vocab_parallel_embedding", {{"vocab", rows}, {"hidden", columns}, {"pad_to", unit}}));
  layers.push_back(layer(name + ".head", "column_parallel_linear", {{"in", columns}, {"out", rows}, {"bias", flip()}}));
  layers.back().tied_to = name + ".weight";
}

void draw_group(Layers& layers, const std::string& name, int ranks) {
  switch (*rc::gen::inRange(0, 11)) {
    case 5:
      return draw_view(layers, name);
    case 6:
      return draw_tied_head(layers, name, ranks);
    case 7:
      return draw_tied_with_own_load(layers, name);
    case 8:
      return draw_reader(layers, name);
    case 9:
    case 10:
      return draw_quantized(layers, name, ranks);
    default:
      return draw_tree(layers, name, ranks, 2);
  }
}

}  // namespace

std::vector<model::LayerSpec> draw_layers(int ranks, Quantized quantized) {
  Layers layers;
  if (quantized == Quantized::some) draw_quantized(layers, "blocks.q.it", ranks);
  const int64_t groups = layers.empty() ? draw_between(1, 4) : draw_between(0, 2);
  for (int64_t group = 0; group < groups; ++group) draw_group(layers, "blocks." + std::to_string(group) + ".it", ranks);
  return layers;
}

}  // namespace reloadlab::sim
