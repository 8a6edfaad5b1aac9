// The layers of a decoder with latent attention: queries, keys and values come out of small vectors that every rank works out for
// itself. The first blocks have a dense MLP, the others experts, and shared ones that are one MLP of so many times the width.
#include <fmt/format.h>

#include "reference/model/architecture/decoder.h"
#include "reference/model/architecture/linear_layers.h"

namespace reloadlab::model {
namespace {

// With q_lora_rank 0 queries are projected at once, as in the small models of the family.
void add_queries(LayerList& layers, const std::string& path, int64_t rows) {
  const int64_t hidden = layers.integer("hidden"), rank = layers.integer("q_lora_rank");
  if (rank == 0) {
    add_column_parallel(layers, {.name = path + ".q_proj", .in = hidden, .out = rows});
    return;
  }
  add_replicated(layers, {.name = path + ".q_a_proj", .in = hidden, .out = rank});
  add_norm(layers, path + ".q_a_layernorm", rank);
  add_column_parallel(layers, {.name = path + ".q_b_proj", .in = rank, .out = rows});
}

// Online quantization leaves kv_b_proj alone: what the attention absorbs is read from it as it was loaded.
void add_latent_attention(LayerList& layers, int64_t block) {
  const int64_t hidden = layers.integer("hidden"), heads = layers.integer("heads"), rank = layers.integer("kv_lora_rank");
  const int64_t nope = layers.integer("qk_nope_head_dim"), rope = layers.integer("qk_rope_head_dim"), v = layers.integer("v_head_dim");
  const std::string path = block_path(block, "self_attn");
  add_queries(layers, path, heads * (nope + rope));
  add_replicated(layers, {.name = path + ".kv_a_proj_with_mqa", .in = hidden, .out = rank + rope});
  add_norm(layers, path + ".kv_a_layernorm", rank);
  add_absorbed(layers, {.name = path + ".kv_b_proj", .in = rank, .out = heads * (nope + v)});
  add_row_parallel(layers, {.name = path + ".o_proj", .in = heads * v, .out = hidden});
  layers.add(
      path + ".mla_attn", "mla_attention",
      {{"heads", heads}, {"qk_nope_head_dim", nope}, {"v_head_dim", v}, {"kv_lora_rank", rank}, {"kv_b", path + ".kv_b_proj.weight"}});
}

void add_sparse_deepseek(LayerList& layers, int64_t block) {
  add_experts(layers, block, layers.flag("correction_bias"));
  const int64_t shared = layers.integer("shared_experts") * layers.integer("expert_intermediate");
  if (shared > 0) add_mlp(layers, block_path(block, "mlp.shared_experts"), shared);
}

void expand_deepseek(ModelSpec& spec) {
  LayerList layers(spec);
  add_inputs(layers, layers.integer("qk_rope_head_dim"));
  for (int64_t block = 0; block < layers.integer("blocks"); ++block) {
    add_latent_attention(layers, block);
    if (block < layers.integer("dense_blocks")) {
      add_mlp(layers, block_path(block, "mlp"), layers.integer("intermediate"));
    } else {
      add_sparse_deepseek(layers, block);
    }
    add_block_norms(layers, block);
  }
  add_outputs(layers);
}

Status check_deepseek(const ModelSpec& spec) {
  RELOADLAB_TRY(check_weights(spec));
  const auto value = [&](std::string_view key) { return integer_of(spec, key); };
  RELOADLAB_TRY(check_product("heads and the elements of a query", value("heads"), value("qk_nope_head_dim") + value("qk_rope_head_dim")));
  RELOADLAB_TRY(check_product("heads and the elements of key and value", value("heads"), value("qk_nope_head_dim") + value("v_head_dim")));
  RELOADLAB_TRY(check_product("kv_lora_rank and qk_rope_head_dim", value("kv_lora_rank") + value("qk_rope_head_dim"), 1));
  return check_product("shared_experts and expert_intermediate", value("shared_experts"), value("expert_intermediate"));
}

Keys latent_keys() {
  return {size_key("q_lora_rank", 1536, "elements of the vector that queries come from; 0: they come from the state", 0),
          size_key("kv_lora_rank", 512, "elements of the vector that keys and values come from"),
          size_key("qk_nope_head_dim", 128, "elements of a head's query and key without position"),
          size_key("qk_rope_head_dim", 64, "elements of a head's query and key with position", 2),
          size_key("v_head_dim", 128, "elements of a head's value"),
          size_key("dense_blocks", 3, "first blocks, which have no experts", 0),
          size_key("shared_experts", 1, "experts that every token goes to", 0),
          flag_key("correction_bias", true, "routers have e_score_correction_bias"),
          size_key("next_token_blocks", 0, "blocks behind the last one that checkpoints have and the model has not", 0)};
}

}  // namespace

ArchitectureInfo deepseek() {
  return {.id = "deepseek",
          .about = "decoder of the DeepSeek family, latent attention and experts; without keys it is DeepSeek-V3 (671 billion parameters)",
          .keys = joined_keys({decoder_keys({.vocab = 129280,
                                             .hidden = 7168,
                                             .heads = 128,
                                             .blocks = 61,
                                             .intermediate = 18432,
                                             .max_position = 163840,
                                             .rope_base = 10000,
                                             .eps = 1e-6}),
                               latent_keys(), expert_keys({.experts = 256, .top_k = 8, .intermediate = 2048}), weight_keys()}),
          .expand = expand_deepseek,
          .check = check_deepseek};
}

}  // namespace reloadlab::model
