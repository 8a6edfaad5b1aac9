#include "sim/fuzz/draw_kinds.h"

#include <algorithm>
#include <iterator>

namespace reloadlab::sim::fuzz {
namespace {

double pad_value(Drawing& d) { return static_cast<double>(d.small(0, 4) - 2); }

// Sizes of a linear layer that may fall short of what its dimensions are padded to.
Values linear(Drawing& d) {
  const int64_t in = d.size(), out = d.size();
  Values values{{"in", in}, {"out", out}, {"bias", d.flip()}, {"loader", d.cutting_loader()}};
  if (!d.flip()) return values;
  values["in"] = in - d.small(0, d.unit - 1);
  values["out"] = out - d.small(0, d.unit - 1);
  values["pad_rows_to"] = values["pad_cols_to"] = d.unit;
  values["pad_value"] = pad_value(d);
  return values;
}

Values norm(Drawing& d) { return {{"hidden", d.size()}, {"bias", d.flip()}, {"rms", d.flip()}}; }

Values replicated(Drawing& d) {
  return {{"in", d.small(1, 6)}, {"out", d.size()}, {"bias", d.flip()}, {"correction_bias", d.flip()}, {"loader", d.cutting_loader()}};
}

Values merged(Drawing& d) {
  return {{"in", d.size()}, {"outs", Shape{d.size(), d.size()}}, {"bias", d.flip()}, {"loader", d.cutting_loader()}};
}

// One key-value head is fewer than the ranks, which then replicate it.
Values qkv(Drawing& d) {
  return {{"hidden", d.size()},     {"heads", d.unit},  {"kv_heads", d.flip() ? int64_t{1} : d.unit},
          {"head_dim", int64_t{2}}, {"bias", d.flip()}, {"loader", d.cutting_loader()}};
}

Values embedding(Drawing& d) { return {{"rows", d.size()}, {"hidden", d.small(1, 6)}, {"ids", d.flip()}}; }

Values composed(Drawing& d) {
  return {{"size", d.size()},
          {"transform", d.word({"negative_exp", "negate"})},
          {"order", d.word({"a_first", "a_last"})},
          {"loader", d.cutting_loader()}};
}

Values scalars(Drawing& d) {
  return {{"rows", d.size()},
          {"columns", d.size()},
          {"scales", d.small(0, 2)},
          {"scale_dims", d.small(0, 1)},
          {"trailing", d.small(0, 3)},
          {"shape_deliveries", d.small(0, 1)},
          {"loader", d.cutting_loader()}};
}

Values attention(Drawing& d) {
  const bool scales = d.flip();
  return {{"heads", d.size()},
          {"class", d.word({"attention", "mla_attention", "encoder_attention"})},
          {"scales", scales},
          {"query_scales", d.flip() && scales},
          {"scales_delivered", d.flip()},
          {"host_copies", d.flip()},
          {"sinks", d.flip()},
          {"workspace", d.small(0, 2)},
          {"loader", d.cutting_loader()}};
}

// Cut, or dealt out with some experts at two places.
Values experts(Drawing& d) {
  const bool dealt = d.flip();
  const int64_t redundant = d.flip() && dealt ? d.unit / 2 : 0;
  return {{"hidden", d.small(1, 6)},
          {"intermediate", d.unit},
          {"experts", d.unit - redundant},
          {"redundant", redundant},
          {"parallel", std::string(dealt ? "expert" : "tensor")},
          {"placement", d.word({"linear", "round_robin"})},
          {"loader", d.cutting_loader()}};
}

Values mla(Drawing& d) {
  return {{"heads", d.unit},
          {"qk_nope_head_dim", d.small(1, 3)},
          {"v_head_dim", d.small(1, 3)},
          {"kv_lora_rank", d.small(1, 4)},
          {"loader", d.cutting_loader()}};
}

Values rotary(Drawing& d) { return {{"rotary_dim", 2 * d.small(1, 3)}, {"max_position", d.small(1, 6)}}; }

Values mixer(Drawing& d) {
  return {{"channels", d.size()},
          {"state", d.small(1, 6)},
          {"conv_kernel", d.small(1, 4)},
          {"order", d.word({"a_first", "a_last"})},
          {"loader", d.cutting_loader()}};
}

// Eight codes share a word, of zero points too.
Values packed(Drawing& d) {
  return {{"in", 8 * d.small(1, 3)},
          {"outs", Shape{8 * d.unit, 8 * d.unit}},
          {"group", d.flip() ? int64_t{8} : int64_t{0}},
          {"zero_points", d.flip()},
          {"loader", d.cutting_loader()}};
}

Values packed_rows(Drawing& d) {
  return {{"in", 8 * d.unit},
          {"out", int64_t{8}},
          {"group", d.flip() ? int64_t{8} : int64_t{0}},
          {"zero_points", d.flip()},
          {"loader", d.cutting_loader()}};
}

Values scaled(Drawing& d) {
  return {{"in", d.small(1, 6)},
          {"outs", Shape{d.size(), d.size()}},
          {"scales", d.word({"channel", "tensor"})},
          {"loader", d.cutting_loader()}};
}

Values scaled_rows(Drawing& d) {
  return {{"in", d.size()}, {"out", d.small(1, 6)}, {"scales", d.word({"channel", "tensor"})}, {"loader", d.cutting_loader()}};
}

Values scaled_whole(Drawing& d) {
  return {
      {"in", d.small(1, 6)}, {"out", d.small(1, 6)}, {"scales", d.word({"channel", "tensor", "block"})}, {"loader", d.cutting_loader()}};
}

Values hadamard(Drawing& d) { return {{"size", d.small(1, 6)}}; }

// Routes whose extent can be told; the others are refused.
Values custom(Drawing& d) {
  return {
      {"rows", d.small(1, 6)},
      {"columns", d.small(1, 6)},
      {"via", d.word({"copy", "rows", "steps", "transpose", "flat", "bytes", "twice", "temporary", "broadcast", "foreach", "index_put"})},
      {"bias", d.flip()},
      {"loader", d.cutting_loader()}};
}

// The flags of the kind that is made of parts. Strides are those of a matrix whose rows lie apart.
Values parts(Drawing& d) {
  const int64_t rows = d.small(1, 4), columns = d.small(1, 4), gap = d.small(0, 3);
  Values values{
      {"shape", Shape{rows, columns}}, {"bias", d.word({"none", "loaded", "empty"})}, {"loader", d.word({"bound", "free", "none"})}};
  const std::string layout = d.word({"dense", "strided", "two names"});
  if (layout == "strided") values["strides"] = Shape{columns + gap, 1};
  if (layout == "two names") values["second_name"] = std::string("weight_t");
  if (d.flip()) values["buffer"] = Shape{d.small(1, 4)};
  if (d.flip()) values["constant"] = Shape{d.small(1, 4)};
  if (d.flip()) values["expanded"] = Shape{d.small(1, 3), d.small(1, 3)};
  if (d.flip()) values["skip"] = d.word({"_expert_map", "expert_mask", "expert_local_to_global"});
  values["buffer_persistent"] = !d.flip();
  values["constant_persistent"] = d.flip();
  values["empty_buffer"] = d.flip();
  values["lazy"] = d.flip() && !d.swarm.forwards;  // laws take what the first forward makes of it for a change
  values["late"] = d.flip();
  values["scratch"] = d.flip();
  return values;
}

constexpr DrawnKind kinds[] = {{"norm", norm},
                               {"column_parallel_linear", linear},
                               {"row_parallel_linear", linear},
                               {"replicated_linear", replicated},
                               {"merged_column_parallel_linear", merged},
                               {"qkv_parallel_linear", qkv},
                               {"embedding", embedding},
                               {"vocab_parallel_embedding", draw_vocabulary},
                               {"parallel_lm_head", draw_vocabulary},
                               {"buffers", parts},
                               {"composed", composed},
                               {"scalars", scalars},
                               {"attention", attention},
                               {"custom_loader", custom},
                               {"fused_experts", experts},
                               {"mla_attention", mla},
                               {"rotary_embedding", rotary},
                               {"mamba_mixer", mixer},
                               {"hadamard", hadamard},
                               {"packed_column_parallel_linear", packed},
                               {"packed_row_parallel_linear", packed_rows},
                               {"scaled_column_parallel_linear", scaled, true},
                               {"scaled_row_parallel_linear", scaled_rows, true},
                               {"scaled_replicated_linear", scaled_whole, true}};

}  // namespace

std::span<const DrawnKind> drawn_kinds() { return kinds; }

namespace {
constexpr std::string_view whole[] = {"composed", "norm", "replicated_linear", "merged_column_parallel_linear", "qkv_parallel_linear",
                                      "embedding"};
}  // namespace

bool brings_all_it_has(std::string_view kind) { return std::ranges::count(whole, kind) > 0; }

uint32_t one_that_brings_all(uint32_t number) {
  const std::string_view kind = whole[number % std::size(whole)];
  return static_cast<uint32_t>(std::ranges::find(kinds, kind, &DrawnKind::id) - std::begin(kinds));
}

Values draw_vocabulary(Drawing& d) {
  return {{"vocab", d.size() - d.small(0, d.unit - 1)},
          {"hidden", d.small(1, 6)},
          {"pad_to", d.unit},
          {"pad_value", pad_value(d)},
          {"loader_pads", d.flip()},
          {"loader", d.cutting_loader()}};
}

model::LayerSpec layer_of(std::string name, std::string kind, Values values) {
  model::LayerSpec spec{.name = std::move(name), .kind = std::move(kind), .values = std::move(values)};
  model::fill_defaults(spec);
  return spec;
}

}  // namespace reloadlab::sim::fuzz
