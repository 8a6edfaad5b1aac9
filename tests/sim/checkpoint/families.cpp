#include "tests/sim/checkpoint/families.h"

#include <fmt/format.h>

namespace reloadlab::sim {
namespace {

using Names = std::vector<std::string>;

Names each(const std::string& prefix, const Names& names) {
  Names all;
  for (const std::string& name : names) all.push_back(prefix + name);
  return all;
}

void append(Names& names, const Names& more) { names.insert(names.end(), more.begin(), more.end()); }

const Names mlp = {"gate_proj.weight", "up_proj.weight", "down_proj.weight"};
const Names norms = {"input_layernorm.weight", "post_attention_layernorm.weight"};
const Names projections = {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight"};
const Names biases = {"self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"};
const Names cache_scales = {"self_attn.k_proj.k_scale", "self_attn.v_proj.v_scale"};
const Names head_norms = {"self_attn.q_norm.weight", "self_attn.k_norm.weight"};

Names ends(const std::string& prefix, bool head) {
  Names names = {prefix + "embed_tokens.weight", prefix + "norm.weight"};
  if (head) names.push_back("lm_head.weight");
  return names;
}

Names dense(const std::string& prefix, const Names& attention) {
  Names names = ends(prefix, true);
  for (int block = 0; block < 2; ++block) {
    const std::string path = fmt::format("{}layers.{}.", prefix, block);
    for (const Names& part : {projections, attention, norms}) append(names, each(path, part));
    append(names, each(path + "mlp.", mlp));
  }
  return names;
}

Names experts_at(const std::string& path, int count) {
  Names names = {path + "mlp.gate.weight"};
  for (int expert = 0; expert < count; ++expert) append(names, each(fmt::format("{}mlp.experts.{}.", path, expert), mlp));
  return names;
}

Values decoder_sizes(Values more) {
  more.merge(Values{{"vocab", int64_t{20}},
                    {"hidden", int64_t{8}},
                    {"heads", int64_t{4}},
                    {"blocks", int64_t{2}},
                    {"intermediate", int64_t{8}},
                    {"max_position", int64_t{8}}});
  return more;
}

Family llama(std::string name, Values values, Names names, Names left_out = {}) {
  return {std::move(name), "llama", "llama", decoder_sizes(std::move(values)), std::move(names), std::move(left_out)};
}

const Values grouped_experts = {{"kv_heads", int64_t{2}},
                                {"head_dim", int64_t{2}},
                                {"experts", int64_t{12}},
                                {"top_k", int64_t{2}},
                                {"expert_intermediate", int64_t{4}}};
const Values few_experts = {{"experts", int64_t{12}}, {"top_k", int64_t{2}}, {"expert_intermediate", int64_t{4}}};

Family qwen2_moe() {
  Values values = grouped_experts;
  values.merge(Values{{"qkv_bias", true}, {"qk_norm", false}, {"sparse_step", int64_t{2}}, {"shared_intermediate", int64_t{8}}});
  Names names = ends("model.", true);
  for (const char* path : {"model.layers.0.", "model.layers.1."})
    for (const Names& part : {projections, biases, norms}) append(names, each(path, part));
  append(names, each("model.layers.0.mlp.", mlp));
  append(names, experts_at("model.layers.1.", 12));
  append(names, each("model.layers.1.mlp.shared_expert.", mlp));
  names.push_back("model.layers.1.mlp.shared_expert_gate.weight");
  return {"qwen2_moe", "qwen_moe", "qwen_moe", decoder_sizes(values), names, {}};
}

Family qwen3_moe() {
  Names names = ends("model.", true);
  for (const char* path : {"model.layers.0.", "model.layers.1."}) {
    for (const Names& part : {projections, head_norms, norms}) append(names, each(path, part));
    append(names, experts_at(path, 12));
  }
  return {"qwen3_moe", "qwen_moe", "qwen_moe", decoder_sizes(grouped_experts), names, {}};
}

// One dense block and one with experts; V3's files also hold a block that predicts the token after the next.
Family deepseek(std::string name, bool third) {
  Values values = few_experts;
  values.merge(Values{{"dense_blocks", int64_t{1}},
                      {"q_lora_rank", int64_t{third ? 6 : 0}},
                      {"correction_bias", third},
                      {"next_token_blocks", int64_t{third ? 1 : 0}}});
  const Names latent = {"self_attn.kv_a_proj_with_mqa.weight", "self_attn.kv_a_layernorm.weight", "self_attn.kv_b_proj.weight",
                        "self_attn.o_proj.weight"};
  const Names queries = third ? Names{"self_attn.q_a_proj.weight", "self_attn.q_a_layernorm.weight", "self_attn.q_b_proj.weight"}
                              : Names{"self_attn.q_proj.weight"};
  Names names = ends("model.", true);
  for (const char* path : {"model.layers.0.", "model.layers.1."})
    for (const Names& part : {queries, latent, norms}) append(names, each(path, part));
  append(names, each("model.layers.0.mlp.", mlp));
  append(names, experts_at("model.layers.1.", 12));
  append(names, each("model.layers.1.mlp.shared_experts.", mlp));
  if (third) names.push_back("model.layers.1.mlp.gate.e_score_correction_bias");
  Names left_out;
  if (third) {
    left_out = each("model.layers.2.", {"eh_proj.weight", "enorm.weight", "hnorm.weight", "embed_tokens.weight", "shared_head.norm.weight",
                                        "shared_head.head.weight", "self_attn.q_a_proj.weight"});
    append(left_out, experts_at("model.layers.2.", 12));
  }
  return {std::move(name), "deepseek", "deepseek", decoder_sizes(values), names, left_out};
}

Values in_blocks(Values values) {
  for (const auto& [key, size] : {std::pair("hidden", 128), {"intermediate", 256}, {"head_dim", 64}, {"expert_intermediate", 128}})
    if (std::string(key) == "hidden" || std::string(key) == "intermediate" || values.contains(key))
      values.insert_or_assign(key, int64_t{size});
  return values;
}

bool is_linear(const std::string& name) {
  for (const char* plain : {"norm.weight", "mlp.gate.weight", "embed_tokens.weight", "lm_head.weight", ".bias"})
    if (name.ends_with(plain)) return false;
  return true;
}

// The same model with its linear layers and experts in 8-bit floats, each with the scales of its blocks of 128×128.
Family scaled(Family family) {
  family.name += "_in_blocks";
  family.values = in_blocks(std::move(family.values));
  family.values.insert_or_assign("weights", std::string("scaled"));
  const Names plain = family.names;
  for (const std::string& name : plain)
    if (is_linear(name) && name.ends_with(".weight")) family.names.push_back(name + "_scale_inv");
  return family;
}

// With them in packed integers of 4 bits, in groups of 64.
Family packed(Family family) {
  family.name += "_in_groups";
  family.values = in_blocks(std::move(family.values));
  family.values.insert_or_assign("weights", std::string("packed"));
  family.values.insert_or_assign("group", int64_t{64});
  Names names;
  for (const std::string& name : family.names) {
    if (is_linear(name))
      append(names, each(name, {"_packed", "_scale", "_shape"}));
    else
      names.push_back(name);
  }
  family.names = std::move(names);
  return family;
}

// The second block alone has experts.
Family dense_first(Family family) {
  family.values.insert_or_assign("mlp_only_blocks", std::vector<int64_t>{0});
  std::erase_if(family.names, [](const std::string& name) { return name.find("layers.0.mlp.") != name.npos; });
  append(family.names, each("model.layers.0.mlp.", mlp));
  return family;
}

// As converted from TensorFlow, with the heads of its training.
Family pretrained(Family family) {
  family.name = "bert_for_pretraining";
  family.respelt = true;
  for (std::string& name : family.names) {
    const size_t at = name.find("LayerNorm.");
    if (at != name.npos) name.replace(at, name.npos, name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
  }
  append(family.left_out, {"cls.predictions.bias", "cls.predictions.transform.dense.weight", "cls.predictions.transform.LayerNorm.gamma",
                           "cls.seq_relationship.weight"});
  return family;
}

Family bert() {
  Names names = each("embeddings.", {"word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight",
                                     "LayerNorm.weight", "LayerNorm.bias"});
  for (const char* path : {"encoder.layer.0.", "encoder.layer.1."})
    for (const char* layer : {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                              "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"})
      append(names, each(std::string(path) + layer, {".weight", ".bias"}));
  append(names, {"pooler.dense.weight", "pooler.dense.bias"});
  const Values values = {{"hidden", int64_t{12}}, {"blocks", int64_t{2}}};
  return {"bert", "bert", "bert", values, names, {"embeddings.position_ids"}};
}

}  // namespace

std::vector<Family> families() {
  const Values kv = {{"kv_heads", int64_t{2}}};
  const auto with = [&](Values more) { return more.merge(Values(kv)), more; };
  Names tied = dense("model.", biases);
  std::erase(tied, "lm_head.weight");
  Family wrapped = bert();
  wrapped.name = "bert_in_a_model";
  wrapped.names = each("bert.", wrapped.names);
  wrapped.left_out = each("bert.", wrapped.left_out);
  return {bert(),
          wrapped,
          llama("llama", with({}), dense("model.", {}), {"model.layers.1.self_attn.rotary_emb.inv_freq"}),
          llama("llama_without_head_model", with({}), dense("", {}), {"layers.0.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"}),
          llama("llama_in_a_vision_model", with({}), dense("language_model.model.", {}),
                {"vision_tower.patch.weight", "multi_modal_projector.linear_1.bias"}),
          llama("llama_in_a_newer_vision_model", with({}), dense("model.language_model.", {}),
                {"model.visual.patch_embed.proj.weight", "model.vision_tower.patch.weight", "vision_model.patch.weight"}),
          llama("llama_with_cache_scales", with({{"kv_scales", true}}), dense("model.", cache_scales)),
          llama("qwen2", with({{"qkv_bias", true}}), dense("model.", biases)),
          llama("qwen2_tied", with({{"qkv_bias", true}, {"tied_head", true}}), tied, {"lm_head.weight"}),
          llama("qwen3", with({{"qk_norm", true}}), dense("model.", head_norms)),
          qwen2_moe(),
          qwen3_moe(),
          scaled(dense_first(qwen3_moe())),
          scaled(llama("qwen3", with({{"qk_norm", true}, {"head_dim", int64_t{64}}}), dense("model.", head_norms))),
          packed(llama("llama", with({{"head_dim", int64_t{64}}}), dense("model.", {}))),
          scaled(deepseek("deepseek_v3", true)),
          pretrained(wrapped),
          deepseek("deepseek_v2", false),
          deepseek("deepseek_v3", true)};
}

}  // namespace reloadlab::sim
