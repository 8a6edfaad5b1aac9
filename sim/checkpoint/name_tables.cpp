// The tables of every family of files, as transformers stores them. A family is called like the architecture whose layers it fills.
#include <array>

#include "sim/checkpoint/names.h"

namespace reloadlab::sim {
namespace {

// A decoder alone, in a model, or as the language part of a model with more parts. Longer ones first.
constexpr std::string_view decoder_prefixes[] = {"model.language_model.", "language_model.model.", "language_model.", "model."};
// Tables of frequencies that older files carry; our models work them out.
constexpr std::string_view decoder_ignored[] = {"layers.{i}.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"};
// What stands beside the language part: the tower that sees, and what projects its output.
constexpr std::string_view decoder_other_parts[] = {"vision_tower.", "vision_model.", "visual.", "multi_modal_projector."};
constexpr std::string_view decoder_tied[] = {"lm_head.weight"};
constexpr std::string_view decoder_blocks = "layers.";

constexpr PartRule grouped_stacked[] = {
    {"q_proj", "qkv_proj", "q"},        {"k_proj", "qkv_proj", "k"},      {"v_proj", "qkv_proj", "v"},
    {"gate_proj", "gate_up_proj", "0"}, {"up_proj", "gate_up_proj", "1"},
};
// Scales of caches, as the tools that calibrate them store them (ModelOpt, compressed-tensors).
constexpr NameRule attention_moved[] = {
    {"layers.{i}.self_attn.k_proj.k_scale", "layers.{i}.self_attn.attn.k_scale"},
    {"layers.{i}.self_attn.v_proj.v_scale", "layers.{i}.self_attn.attn.v_scale"},
    {"layers.{i}.self_attn.k_scale", "layers.{i}.self_attn.attn.k_scale"},
    {"layers.{i}.self_attn.v_scale", "layers.{i}.self_attn.attn.v_scale"},
};
// Latent attention has a q_proj of its own, where it has one.
constexpr PartRule latent_stacked[] = {{"gate_proj", "gate_up_proj", "0"}, {"up_proj", "gate_up_proj", "1"}};
constexpr PartRule decoder_experts[] = {{"gate_proj", "w13", "w1"}, {"down_proj", "w2", "w2"}, {"up_proj", "w13", "w3"}};

constexpr std::string_view bert_prefixes[] = {"bert."};
// Files that were converted from TensorFlow have its names.
constexpr NameRule bert_respelt[] = {{".LayerNorm.gamma", ".LayerNorm.weight"}, {".LayerNorm.beta", ".LayerNorm.bias"}};
// Heads of the pretraining, which an encoder has not: masked words and next sentences.
constexpr std::string_view bert_other_parts[] = {"cls."};
// Positions count from zero to the longest sequence in every such file; our models compute them.
constexpr std::string_view bert_ignored[] = {"embeddings.position_ids"};
constexpr NameRule bert_renamed[] = {
    {"embeddings.word_embeddings.{w}", "embeddings.word.{w}"},
    {"embeddings.position_embeddings.{w}", "embeddings.position.{w}"},
    {"embeddings.token_type_embeddings.{w}", "embeddings.token_type.{w}"},
    {"embeddings.LayerNorm.{w}", "embeddings.norm.{w}"},
    {"encoder.layer.{i}.attention.self.query.{w}", "blocks.{i}.query.{w}"},
    {"encoder.layer.{i}.attention.self.key.{w}", "blocks.{i}.key.{w}"},
    {"encoder.layer.{i}.attention.self.value.{w}", "blocks.{i}.value.{w}"},
    {"encoder.layer.{i}.attention.output.dense.{w}", "blocks.{i}.attention_output.{w}"},
    {"encoder.layer.{i}.attention.output.LayerNorm.{w}", "blocks.{i}.attention_norm.{w}"},
    {"encoder.layer.{i}.intermediate.dense.{w}", "blocks.{i}.up.{w}"},
    {"encoder.layer.{i}.output.dense.{w}", "blocks.{i}.down.{w}"},
    {"encoder.layer.{i}.output.LayerNorm.{w}", "blocks.{i}.output_norm.{w}"},
    {"pooler.dense.{w}", "pooler.{w}"},
};
constexpr PartRule bert_stacked[] = {{"query", "qkv", "q"}, {"key", "qkv", "k"}, {"value", "qkv", "v"}};

constexpr std::array maps = {
    NameMap{.id = "bert",
            .prefixes = bert_prefixes,
            .respelt = bert_respelt,
            .ignored = bert_ignored,
            .other_parts = bert_other_parts,
            .renamed = bert_renamed,
            .stacked = bert_stacked},
    NameMap{.id = "llama",
            .prefixes = decoder_prefixes,
            .ignored = decoder_ignored,
            .other_parts = decoder_other_parts,
            .moved = attention_moved,
            .stacked = grouped_stacked,
            .tied = decoder_tied,
            .blocks = decoder_blocks},
    NameMap{.id = "qwen_moe",
            .prefixes = decoder_prefixes,
            .ignored = decoder_ignored,
            .other_parts = decoder_other_parts,
            .moved = attention_moved,
            .experts = decoder_experts,
            .stacked = grouped_stacked,
            .tied = decoder_tied,
            .blocks = decoder_blocks},
    NameMap{.id = "deepseek",
            .prefixes = decoder_prefixes,
            .ignored = decoder_ignored,
            .other_parts = decoder_other_parts,
            .experts = decoder_experts,
            .stacked = latent_stacked,
            .tied = decoder_tied,
            .blocks = decoder_blocks},
};

}  // namespace

std::span<const NameMap> name_maps() { return maps; }

}  // namespace reloadlab::sim
