#pragma once
// The parts of decoders: keys with the sizes of the model that an architecture is without keys, and the layers that several have.
// Layers are called as engines call them, without the prefix "model.", which checkpoints have or have not (sim/checkpoint/names.h):
//
//   embed_tokens, rotary_emb, layers.N.self_attn.{…}, layers.N.mlp.{…}, layers.N.{input,post_attention}_layernorm, norm, lm_head
#include "reference/model/architecture/architecture.h"
#include "reference/model/architecture/layer_list.h"

namespace reloadlab::model {

struct DecoderSizes {
  int64_t vocab, hidden, heads, blocks, intermediate, max_position;
  double rope_base, eps;
};
struct HeadSizes {
  int64_t kv_heads, head_dim;
  bool qk_norm;
};
struct ExpertSizes {
  int64_t experts, top_k, intermediate;
};
using Keys = std::vector<KeyInfo>;
Keys decoder_keys(const DecoderSizes& sizes);
Keys grouped_head_keys(const HeadSizes& sizes);
Keys expert_keys(const ExpertSizes& sizes);
Keys joined_keys(std::initializer_list<Keys> parts);
KeyInfo size_key(std::string_view name, int64_t fallback, std::string_view about, int64_t minimum = 1);
KeyInfo flag_key(std::string_view name, bool fallback, std::string_view about);

// "layers.3.mlp"
std::string block_path(int64_t block, std::string_view part);
int64_t head_dim_of(const LayerList& layers);

void add_inputs(LayerList& layers, int64_t rotary_dim);  // embedding, and the table of positions that all blocks share
void add_outputs(LayerList& layers);                     // the last norm and the head
void add_norm(LayerList& layers, std::string name, int64_t size);
void add_grouped_attention(LayerList& layers, int64_t block);
void add_mlp(LayerList& layers, const std::string& path, int64_t intermediate);
void add_experts(LayerList& layers, int64_t block, bool correction_bias);
void add_block_norms(LayerList& layers, int64_t block);

Status check_grouped_heads(const ModelSpec& spec);  // and weights in a form that they can have
// The product of sizes that became one size of a layer.
Status check_product(std::string_view what, int64_t one, int64_t other);

}  // namespace reloadlab::model
