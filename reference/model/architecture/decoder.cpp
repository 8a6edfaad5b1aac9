#include "reference/model/architecture/decoder.h"

#include <fmt/format.h>

#include <limits>

#include "reference/model/architecture/linear_layers.h"

namespace reloadlab::model {

KeyInfo size_key(std::string_view name, int64_t fallback, std::string_view about, int64_t minimum) {
  return {.name = name, .fallback = fallback, .minimum = minimum, .about = about};
}

KeyInfo flag_key(std::string_view name, bool fallback, std::string_view about) {
  return {.name = name, .type = KeyInfo::Type::boolean, .fallback = fallback, .about = about};
}

Keys decoder_keys(const DecoderSizes& sizes) {
  using enum KeyInfo::Type;
  return {size_key("vocab", sizes.vocab, "tokens"),
          size_key("pad_to", 64, "the vocabulary is padded to a multiple of this"),
          size_key("hidden", sizes.hidden, "elements of a token's state"),
          size_key("heads", sizes.heads, "attention heads, split over ranks"),
          size_key("blocks", sizes.blocks, "decoder blocks"),
          size_key("intermediate", sizes.intermediate, "elements between the linear layers of a dense MLP"),
          size_key("max_position", sizes.max_position, "longest sequence"),
          {.name = "rope_base", .type = number, .fallback = sizes.rope_base, .about = "base of the rotary frequencies"},
          {.name = "eps", .type = number, .fallback = sizes.eps, .about = "added to mean squares"},
          flag_key("tied_head", false, "the output head holds the embedding's weight, and checkpoints need not have one for it"),
          {.name = "quant", .type = text, .fallback = std::string("none"), .about = "quantization of the linear layers"}};
}

Keys grouped_head_keys(const HeadSizes& sizes) {
  return {size_key("kv_heads", sizes.kv_heads, "key-value heads; 0: as many as heads", 0),
          size_key("head_dim", sizes.head_dim, "elements of a head; 0: hidden / heads", 0),
          flag_key("qkv_bias", false, "query, key and value projections have biases (Qwen2)"),
          flag_key("o_bias", false, "output projections have biases"),
          flag_key("qk_norm", sizes.qk_norm, "each query and key head is normalized (Qwen3)"),
          flag_key("kv_scales", false, "checkpoints have k_scale and v_scale of every attention, for its cache")};
}

Keys expert_keys(const ExpertSizes& sizes) {
  return {size_key("experts", sizes.experts, "experts of a block"),
          size_key("top_k", sizes.top_k, "experts that each token goes to"),
          size_key("expert_intermediate", sizes.intermediate, "elements between an expert's linear layers"),
          {.name = "parallel",
           .type = KeyInfo::Type::text,
           .fallback = std::string("tensor"),
           .about = "what ranks split of experts: each one's intermediate elements, or whole experts",
           .choices = "tensor|expert"},
          {.name = "placement",
           .type = KeyInfo::Type::text,
           .fallback = std::string("linear"),
           .about = "with parallel: expert, whether a rank has experts that follow one another, or one in so many",
           .choices = "linear|round_robin"},
          size_key("redundant", 0, "with parallel: expert, how many of the first experts have a second place", 0),
          {.name = "expert_quant",
           .type = KeyInfo::Type::text,
           .fallback = std::string("none"),
           .about = "quantization of the stacks of experts"}};
}

Keys joined_keys(std::initializer_list<Keys> parts) {
  Keys all;
  for (const Keys& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::string block_path(int64_t block, std::string_view part) { return fmt::format("layers.{}.{}", block, part); }

int64_t head_dim_of(const LayerList& layers) {
  const int64_t given = layers.integer("head_dim");
  return given > 0 ? given : layers.integer("hidden") / layers.integer("heads");
}

void add_norm(LayerList& layers, std::string name, int64_t size) {
  layers.add(std::move(name), "norm", {{"hidden", size}, {"eps", layers.number("eps")}, {"rms", true}});
}

void add_inputs(LayerList& layers, int64_t rotary_dim) {
  layers.add("embed_tokens", "vocab_parallel_embedding",
             {{"vocab", layers.integer("vocab")}, {"hidden", layers.integer("hidden")}, {"pad_to", layers.integer("pad_to")}});
  layers.add("rotary_emb", "rotary_embedding",
             {{"rotary_dim", rotary_dim}, {"max_position", layers.integer("max_position")}, {"base", layers.number("rope_base")}});
}

void add_outputs(LayerList& layers) {
  add_norm(layers, "norm", layers.integer("hidden"));
  layers.add("lm_head", "parallel_lm_head",
             {{"vocab", layers.integer("vocab")}, {"hidden", layers.integer("hidden")}, {"pad_to", layers.integer("pad_to")}});
  if (layers.flag("tied_head")) layers.tie_last("embed_tokens.weight");
}

// The attention itself has scales, which few checkpoints bring, and a post-load step behind all others.
void add_grouped_attention(LayerList& layers, int64_t block) {
  const int64_t hidden = layers.integer("hidden"), heads = layers.integer("heads"), head_dim = head_dim_of(layers);
  const auto name = [&](std::string_view part) { return block_path(block, fmt::format("self_attn.{}", part)); };
  add_query_key_value(layers, {.name = name("qkv_proj"),
                               .hidden = hidden,
                               .heads = heads,
                               .kv_heads = layers.integer("kv_heads"),
                               .head_dim = head_dim,
                               .bias = layers.flag("qkv_bias")});
  add_row_parallel(layers, {.name = name("o_proj"), .in = heads * head_dim, .out = hidden, .bias = layers.flag("o_bias")});
  layers.add(name("attn"), "attention", {{"heads", heads}, {"scales_delivered", layers.flag("kv_scales")}});
  if (!layers.flag("qk_norm")) return;
  add_norm(layers, name("q_norm"), head_dim);
  add_norm(layers, name("k_norm"), head_dim);
}

void add_mlp(LayerList& layers, const std::string& path, int64_t intermediate) {
  const int64_t hidden = layers.integer("hidden");
  add_merged(layers, path + ".gate_up_proj", hidden, {intermediate, intermediate}, "gate_proj,up_proj");
  add_row_parallel(layers, {.name = path + ".down_proj", .in = intermediate, .out = hidden});
}

// Routers stay as they are under quantization, as engines have it. Experts have a quantization of their own: methods take stacks of
// matrices or one matrix.
void add_experts(LayerList& layers, int64_t block, bool correction_bias) {
  const int64_t hidden = layers.integer("hidden"), experts = layers.integer("experts");
  layers.add(block_path(block, "mlp.gate"), "replicated_linear", {{"in", hidden}, {"out", experts}, {"correction_bias", correction_bias}});
  add_expert_stacks(layers, block_path(block, "mlp.experts"),
                    {{"hidden", hidden},
                     {"intermediate", layers.integer("expert_intermediate")},
                     {"experts", experts},
                     {"top_k", layers.integer("top_k")},
                     {"parallel", layers.text("parallel")},
                     {"placement", layers.text("placement")},
                     {"redundant", layers.integer("redundant")}});
}

void add_block_norms(LayerList& layers, int64_t block) {
  for (const char* name : {"input_layernorm", "post_attention_layernorm"})
    add_norm(layers, block_path(block, name), layers.integer("hidden"));
}

Status check_product(std::string_view what, int64_t one, int64_t other) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();  // of what a layer's key may be
  return one <= most / other ? Status() : Status(Code::data, fmt::format("{}: {} times {}, expected at most {}", what, one, other, most));
}

Status check_grouped_heads(const ModelSpec& spec) {
  RELOADLAB_TRY(check_weights(spec));
  const int64_t heads = integer_of(spec, "heads"), kv_heads = integer_of(spec, "kv_heads"), head_dim = integer_of(spec, "head_dim");
  RELOADLAB_TRY(head_dim == 0 ? heads_divide(spec) : check_product("heads and head_dim", heads, head_dim));
  if (kv_heads == 0 || heads % kv_heads == 0) return {};
  return Status(Code::data, fmt::format("{} heads cannot share {} kv heads", heads, kv_heads));
}

}  // namespace reloadlab::model
