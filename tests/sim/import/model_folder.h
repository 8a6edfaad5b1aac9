#pragma once
// A model folder of one small block, written by the test: config.json as text, tensors by name and shape.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {

using Shapes = std::vector<std::pair<std::string, std::vector<int>>>;

inline Shapes llama_tensors() {
  return {{"model.embed_tokens.weight", {10, 4}},
          {"model.layers.0.self_attn.q_proj.weight", {4, 4}},
          {"model.layers.0.self_attn.k_proj.weight", {2, 4}},
          {"model.layers.0.self_attn.v_proj.weight", {2, 4}},
          {"model.layers.0.self_attn.o_proj.weight", {4, 4}},
          {"model.layers.0.mlp.gate_proj.weight", {6, 4}},
          {"model.layers.0.mlp.up_proj.weight", {6, 4}},
          {"model.layers.0.mlp.down_proj.weight", {4, 6}},
          {"model.layers.0.input_layernorm.weight", {4}},
          {"model.layers.0.post_attention_layernorm.weight", {4}},
          {"model.norm.weight", {4}},
          {"lm_head.weight", {10, 4}}};
}

inline std::string llama_config() {
  return R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 10, "hidden_size": 4,
  "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1, "intermediate_size": 6, "max_position_embeddings": 8,
  "rms_norm_eps": 1e-05, "head_dim": null, "tie_word_embeddings": false})";
}

struct Typed {
  std::string name, type;
  std::vector<int> shape;
};

inline std::string tensor_file(const std::vector<Typed>& tensors) {
  std::string json;
  size_t end = 0;
  for (const auto& [name, type, shape] : tensors) {
    size_t bytes = type == "I64" ? 8 : type == "F32" || type == "I32" ? 4 : type == "F8_E4M3" ? 1 : 2;
    for (const int size : shape) bytes *= static_cast<size_t>(size);
    json += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json.empty() ? "" : ",", name, type,
                        fmt::join(shape, ","), end, end + bytes);
    end += bytes;
  }
  return stored("{" + json + "}", end);
}

// A file of BF16 tensors, or of another type.
inline std::string tensor_file(const Shapes& tensors, const std::string& type = "BF16") {
  std::vector<Typed> typed;
  for (const auto& [name, shape] : tensors) typed.push_back({name, type, shape});
  return tensor_file(typed);
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace reloadlab::sim
