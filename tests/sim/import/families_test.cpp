// Every model_type: a folder whose tensors have the names that the family's files have is imported whole.
#include "tests/sim/checkpoint/families.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "reference/model/architecture/architecture.h"
#include "sim/checkpoint/placing.h"
#include "sim/import/config.h"
#include "sim/import/import.h"
#include "tests/sim/import/model_folder.h"

namespace reloadlab::sim {
namespace {

const std::string decoder = R"("vocab_size":20,"hidden_size":8,"num_attention_heads":4,"num_hidden_layers":2,"intermediate_size":8,)"
                            R"("max_position_embeddings":8,"rms_norm_eps":1e-5)";
const std::string grouped = decoder + R"(,"num_key_value_heads":2)";
const std::string experts = R"(,"num_experts_per_tok":2,"moe_intermediate_size":4)";
const std::string latent = decoder + experts +
                           R"(,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"n_routed_experts":12,)"
                           R"("n_shared_experts":1,"first_k_dense_replace":1,"moe_layer_freq":1)";

// Sizes of which the scales of blocks can be told apart.
std::string in_blocks(std::string config) {
  config = replaced(config, R"("hidden_size":8)", R"("hidden_size":128)");
  config = replaced(config, R"("intermediate_size":8)", R"("intermediate_size":256)");
  const std::string_view small = R"("moe_intermediate_size":4)";
  return config.find(small) == config.npos ? config : replaced(config, small, R"("moe_intermediate_size":128)");
}
const std::string blocks = R"(,"quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128]})";
const std::string groups =
    R"(,"quantization_config":{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"group_0":{"weights":)"
    R"({"num_bits":4,"type":"int","strategy":"group","group_size":64,"symmetric":true}}}})";

struct Type {
  std::string id, family, config;
};
const std::vector<Type>& types() {
  static const std::vector<Type> all = {
      {"bert", "bert",
       R"("vocab_size":30522,"hidden_size":12,"num_attention_heads":12,"num_hidden_layers":2,"intermediate_size":1536,)"
       R"("max_position_embeddings":512,"type_vocab_size":2)"},
      {"bert", "bert_for_pretraining",
       R"("vocab_size":30522,"hidden_size":12,"num_attention_heads":12,"num_hidden_layers":2,"intermediate_size":1536,)"
       R"("max_position_embeddings":512,"type_vocab_size":2)"},
      {"llama", "llama", grouped},
      {"mistral", "llama", grouped + R"(,"sliding_window":4096)"},
      {"llama", "llama_with_cache_scales", grouped},
      {"llama", "llama_with_cache_scales",
       grouped + R"(,"quantization_config":{"quant_method":"compressed-tensors","kv_cache_scheme":{"num_bits":8},"config_groups":{}})"},
      {"qwen2", "qwen2_tied", grouped + R"(,"tie_word_embeddings":true)"},
      {"qwen2_5_vl_text", "qwen2_tied", grouped + R"(,"tie_word_embeddings":true)"},
      {"qwen3", "qwen3", grouped},
      {"qwen3_vl_text", "qwen3", grouped},
      {"qwen2_moe", "qwen2_moe",
       grouped + experts + R"(,"num_experts":12,"decoder_sparse_step":2,"shared_expert_intermediate_size":8,"mlp_only_layers":[])"},
      {"qwen3_moe", "qwen3_moe", grouped + experts + R"(,"num_experts":12,"head_dim":2)"},
      {"qwen3_moe", "qwen3_moe_in_blocks",
       in_blocks(grouped + experts) + R"(,"num_experts":12,"head_dim":64,"mlp_only_layers":[0])" + blocks},
      {"qwen3", "qwen3_in_blocks", in_blocks(grouped) + R"(,"head_dim":64)" + blocks},
      {"deepseek_v3", "deepseek_v3_in_blocks", in_blocks(latent) + R"(,"q_lora_rank":6,"num_nextn_predict_layers":1)" + blocks},
      {"llama", "llama_in_groups", in_blocks(grouped) + R"(,"head_dim":64)" + groups},
      {"deepseek_v2", "deepseek_v2", latent + R"(,"q_lora_rank":null)"},
      {"deepseek_v3", "deepseek_v3", latent + R"(,"q_lora_rank":6,"num_nextn_predict_layers":1)"}};
  return all;
}

std::string type_name(DType dtype) {
  const std::map<DType, std::string> others = {{DType::f32, "F32"}, {DType::e4m3, "F8_E4M3"}, {DType::i32, "I32"}, {DType::i64, "I64"}};
  const auto found = others.find(dtype);
  return found == others.end() ? "BF16" : found->second;
}

// The family's names, each in the shape and type that the model takes.
std::vector<Typed> tensors_of(const Family& family) {
  model::ModelSpec spec{.dtype = DType::bf16, .architecture = family.architecture, .values = family.values};
  EXPECT_TRUE(model::expand_architecture(spec).ok());
  std::vector<std::string> names = family.names;
  names.insert(names.end(), family.left_out.begin(), family.left_out.end());
  const Result<Placing> placing = place_names(spec, *find_name_map(family.map), names);
  std::vector<Typed> tensors;
  for (const auto& [delivery, stored] : placing->places)
    tensors.push_back({stored, type_name(delivery.dtype), std::vector<int>(delivery.shape.begin(), delivery.shape.end())});
  for (const auto& [stored, place] : placing->tied) {
    const model::Delivery& delivery = placing->places[place].delivery;
    tensors.push_back({stored, type_name(delivery.dtype), std::vector<int>(delivery.shape.begin(), delivery.shape.end())});
  }
  for (const std::string& name : family.left_out)
    if (std::ranges::find(placing->tied, name, &Placing::Tied::stored) == placing->tied.end()) tensors.push_back({name, "BF16", {1}});
  return tensors;
}

TEST(ModelTypes, AreImportedWholeFromTheirFamiliesNames) {
  const std::vector<Family> all = families();
  for (const Type& type : types()) {
    const TemporaryFolder folder;
    folder.write("model/config.json", fmt::format(R"({{"model_type":"{}",{}}})", type.id, type.config));
    folder.write("model/model.safetensors", tensor_file(tensors_of(*std::ranges::find(all, type.family, &Family::name))));
    const Result<std::string> text = import_model(folder.path() / "model");
    EXPECT_TRUE(text.ok()) << type.id << ": " << text.status().message();
  }
}

TEST(ModelTypes, AreAllTriedHere) {
  std::set<std::string_view> tried, known;
  for (const Type& type : types()) tried.insert(type.id);
  for (const std::string_view id : known_model_types()) known.insert(id);
  EXPECT_EQ(tried, known);
}

TEST(ModelTypes, RefuseWhatTheirArchitecturesCannotBeTold) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& type, const std::string& more) {
    folder.write("config.json",
                 fmt::format(R"({{"model_type":"{}",{}{}}})", type, type == "deepseek_v3" ? latent : grouped + experts, more));
    return read_config(folder.path() / "config.json").status().message();
  };
  for (const char* wrong : {"[-1]", "3", "[0.5]"})
    EXPECT_NE(refusal("qwen3_moe", fmt::format(R"(,"num_experts":12,"mlp_only_layers":{})", wrong))
                  .find(", expected a list of integers from 0 to 2147483647"),
              std::string::npos);
  EXPECT_EQ(refusal("qwen3_moe", R"(,"num_experts":12,"mlp_only_layers":[])"), "");
  folder.write("config.json",
               fmt::format(R"({{"model_type":"deepseek_v3",{}}})", replaced(latent, R"("moe_layer_freq":1)", R"("moe_layer_freq":2)")));
  EXPECT_NE(read_config(folder.path() / "config.json").status().message().find("moe_layer_freq is 2, expected 1"), std::string::npos);
}

}  // namespace
}  // namespace reloadlab::sim
