#include "sim/import/model_types.h"

namespace reloadlab::sim {
namespace {

const int64_t none = 0;

const ConfigKey bert_keys[] = {{"vocab_size", "vocab"},
                               {"hidden_size", "hidden"},
                               {"num_attention_heads", "heads"},
                               {"num_hidden_layers", "blocks"},
                               {"intermediate_size", "intermediate"},
                               {"max_position_embeddings", "positions"},
                               {"type_vocab_size", "types"},
                               {"layer_norm_eps", "eps", 1e-12}};

const ConfigKey decoder_keys[] = {{"vocab_size", "vocab"},
                                  {"hidden_size", "hidden"},
                                  {"num_attention_heads", "heads"},
                                  {"num_hidden_layers", "blocks"},
                                  {"intermediate_size", "intermediate"},
                                  {"max_position_embeddings", "max_position"},
                                  {"rope_theta", "rope_base", 10000.0},
                                  {"rms_norm_eps", "eps", 1e-6},
                                  {"tie_word_embeddings", "tied_head", false}};

const ConfigKey grouped_keys[] = {{"num_key_value_heads", "kv_heads", none}, {"head_dim", "head_dim", none}};
const ConfigKey bias_keys[] = {{"attention_bias", "qkv_bias", false}, {"attention_bias", "o_bias", false}};
const ConfigKey qwen_expert_keys[] = {{"num_experts", "experts"},
                                      {"num_experts_per_tok", "top_k"},
                                      {"moe_intermediate_size", "expert_intermediate"},
                                      {"decoder_sparse_step", "sparse_step", int64_t{1}},
                                      {"mlp_only_layers", "mlp_only_blocks", std::vector<int64_t>{}}};
const ConfigKey qwen_shared_keys[] = {{"shared_expert_intermediate_size", "shared_intermediate", none}};
const ConfigKey latent_keys[] = {{"q_lora_rank", "q_lora_rank", none},
                                 {"kv_lora_rank", "kv_lora_rank"},
                                 {"qk_nope_head_dim", "qk_nope_head_dim"},
                                 {"qk_rope_head_dim", "qk_rope_head_dim"},
                                 {"v_head_dim", "v_head_dim"},
                                 {"n_routed_experts", "experts"},
                                 {"num_experts_per_tok", "top_k"},
                                 {"moe_intermediate_size", "expert_intermediate"},
                                 {"n_shared_experts", "shared_experts", none},
                                 {"first_k_dense_replace", "dense_blocks", none},
                                 {"num_nextn_predict_layers", "next_token_blocks", none}};

constexpr Refusal latent_refusals[] = {{"moe_layer_freq", "1", "1"}};

const std::vector<ModelType>& table() {
  static const std::vector<ModelType> types = {
      {.id = "bert", .architecture = "bert", .keys = {bert_keys}},
      {.id = "llama", .architecture = "llama", .keys = {decoder_keys, grouped_keys, bias_keys}},
      {.id = "mistral", .architecture = "llama", .keys = {decoder_keys, grouped_keys}},
      {.id = "qwen2", .architecture = "llama", .keys = {decoder_keys, grouped_keys}, .fixed = {{"qkv_bias", true}}},
      {.id = "qwen2_5_vl_text", .architecture = "llama", .keys = {decoder_keys, grouped_keys}, .fixed = {{"qkv_bias", true}}},
      {.id = "qwen3", .architecture = "llama", .keys = {decoder_keys, grouped_keys, bias_keys}, .fixed = {{"qk_norm", true}}},
      {.id = "qwen3_vl_text", .architecture = "llama", .keys = {decoder_keys, grouped_keys, bias_keys}, .fixed = {{"qk_norm", true}}},
      {.id = "qwen2_moe",
       .architecture = "qwen_moe",
       .keys = {decoder_keys, grouped_keys, qwen_expert_keys, qwen_shared_keys},
       .fixed = {{"qkv_bias", true}, {"qk_norm", false}}},
      {.id = "qwen3_moe", .architecture = "qwen_moe", .keys = {decoder_keys, grouped_keys, bias_keys, qwen_expert_keys}},
      {.id = "deepseek_v2",
       .architecture = "deepseek",
       .keys = {decoder_keys, latent_keys},
       .fixed = {{"correction_bias", false}},
       .refusals = latent_refusals},
      {.id = "deepseek_v3", .architecture = "deepseek", .keys = {decoder_keys, latent_keys}, .refusals = latent_refusals},
  };
  return types;
}

}  // namespace

std::span<const ModelType> model_types() { return table(); }

}  // namespace reloadlab::sim
