// Configurations with sections: a language model beside other parts, and weights that come quantized.
#include <gtest/gtest.h>

#include "sim/import/config.h"
#include "sim/import/import.h"
#include "tests/sim/import/model_folder.h"

namespace reloadlab::sim {
namespace {

class Sections : public testing::Test {
 protected:
  Result<ConfigModel> config(const std::string& text) const { return read_config(folder_.write("config.json", text)); }
  std::string refusal(const std::string& text) const {
    const Result<ConfigModel> read = config(text);
    return read.ok() ? "accepted" : read.status().message();
  }
  Result<std::string> imported(const std::string& text, const Shapes& tensors) const {
    folder_.write("model/config.json", text);
    folder_.write("model/model.safetensors", tensor_file(tensors));
    return import_model(folder_.path() / "model");
  }
  TemporaryFolder folder_;
};

#define EXPECT_SAYS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

std::string with_parts(const std::string& language, const std::string& more = "") {
  return fmt::format(R"({{"model_type": "llava", "vision_config": {{"hidden_size": 7}}{}, "text_config": {}}})", more, language);
}

TEST_F(Sections, TheLanguageModelOfSeveralPartsIsTheOneThatCounts) {
  const Result<ConfigModel> read = config(with_parts(llama_config()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->type, "llama");
  EXPECT_EQ(std::get<int64_t>(read->spec.values.at("hidden")), 4);
}

TEST_F(Sections, PartsBesideTheLanguageModelAreLeftOut) {
  Shapes tensors = llama_tensors();
  for (auto& [name, shape] : tensors) name.insert(0, "language_model.");
  tensors.push_back({"vision_tower.patch.weight", {2, 2}});
  tensors.push_back({"multi_modal_projector.linear_1.weight", {2, 2}});
  const Result<std::string> text = imported(with_parts(llama_config()), tensors);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_SAYS(*text, "the language model, model_type llama, 14 tensors");
  tensors.push_back({"audio_tower.weight", {2, 2}});
  EXPECT_SAYS(imported(with_parts(llama_config()), tensors).status().message(), "tensor \"audio_tower.weight\" has no place");
}

TEST_F(Sections, MessagesNameTheSection) {
  EXPECT_SAYS(refusal(with_parts(replaced(llama_config(), "\"hidden_size\": 4,", ""), R"(, "hidden_size": 4)")),
              "no text_config.hidden_size, expected an integer");
  EXPECT_SAYS(refusal(with_parts(replaced(llama_config(), "\"hidden_size\": 4", "\"hidden_size\": 0"))),
              "text_config.hidden_size is 0, expected an integer");
  EXPECT_SAYS(refusal(with_parts(replaced(llama_config(), "\"llama\"", "\"lama\""))),
              "text_config.model_type is \"lama\", expected one of bert");
  EXPECT_SAYS(refusal(with_parts("{}")), "no text_config.model_type, expected an object with one of bert");
  EXPECT_SAYS(refusal(R"({"model_type": "llava", "text_config": 3})"), "model_type is \"llava\", expected one of bert");
}

TEST_F(Sections, WhetherTheHeadIsTiedMayBeSaidOfTheWholeModel) {
  const std::string whole = R"(, "tie_word_embeddings": true)";
  const auto tied = [&](const std::string& language) {
    return std::get<bool>(config(with_parts(language, whole))->spec.values.at("tied_head"));
  };
  EXPECT_TRUE(tied(replaced(llama_config(), ", \"tie_word_embeddings\": false", "")));
  EXPECT_FALSE(tied(llama_config()));
}

std::string with_experts(const std::string& quantization) {
  return R"({"model_type": "qwen3_moe", "vocab_size": 10, "hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
  "num_hidden_layers": 1, "intermediate_size": 6, "max_position_embeddings": 8, "num_experts": 2, "num_experts_per_tok": 1,
  "moe_intermediate_size": 128, "quantization_config": )" +
         quantization + "}";
}

TEST_F(Sections, BlocksOf8BitFloatsComeWithScales) {
  const auto scales = [&](const std::string& quantization) -> std::string {
    const Result<ConfigModel> read = config(with_experts(quantization));
    if (!read.ok()) return read.status().message();
    const auto found = read->spec.values.find("weights");
    return found == read->spec.values.end() ? "not said" : std::get<std::string>(found->second);
  };
  EXPECT_EQ(scales("null"), "not said");
  EXPECT_EQ(scales(R"({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"})"), "scaled");
  EXPECT_EQ(scales(R"({"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]})"), "scaled");
  EXPECT_EQ(scales(R"({"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}})"), "not said");
}

TEST_F(Sections, TheSectionOfAWholeModelTellsOfItsLanguageModel) {
  const std::string experts = replaced(with_experts("null"), ", \"quantization_config\": null", "");
  const std::string blocks = R"(, "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]})";
  EXPECT_TRUE(config(with_parts(experts, blocks))->spec.values.contains("weights"));
}

TEST_F(Sections, OtherQuantizationsAreRefusedWithWhatWasExpected) {
  const std::string expected =
      ", expected fp8 with weight_block_size [128, 128], or compressed-tensors with int of 4 bits, pack-quantized in groups";
  const auto says = [&](const std::string& quantization, const std::string& what) {
    EXPECT_SAYS(refusal(with_experts(quantization)), "quantization_config" + what);
  };
  says(R"({"bits": 4})", " has no quant_method" + expected);
  says(R"({"quant_method": 8})", " has no quant_method" + expected);
  says(R"({"quant_method": "gptq", "bits": 4})", " has quant_method \"gptq\"" + expected);
  says(R"({"quant_method": "fp8"})", " has no weight_block_size" + expected);
  says(R"({"quant_method": "fp8", "weight_block_size": [128, 64]})", " has another weight_block_size" + expected);
  says(R"({"quant_method": "fp8", "weight_block_size": [128]})", " has another weight_block_size" + expected);
  says(R"({"quant_method": "fp8", "fmt": "e5m2", "weight_block_size": [128, 128]})", " has a fmt that is not \"e4m3\"" + expected);
  says(R"({"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}, "config_groups": {"group_0": {}}})",
       " is not pack-quantized" + expected);
  says(R"({"quant_method": "compressed-tensors"})", " is not pack-quantized" + expected);
  says("[]", " is an array, expected an object");
}

// What tools of compressed-tensors write of weights in groups of 64, but for one thing that is replaced.
std::string in_groups(std::string_view from = "}", std::string_view to = "}") {
  return replaced(R"({"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"], "config_groups": {"group_0":
    {"targets": ["Linear"], "input_activations": null, "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64,
     "symmetric": true, "actorder": null}}}})",
                  from, to);
}

TEST_F(Sections, WeightsInGroupsArePacked) {
  const auto values = [&](const std::string& quantization) { return config(with_experts(quantization))->spec.values; };
  const Values symmetric = values(in_groups()), other = values(in_groups("\"symmetric\": true", "\"symmetric\": false"));
  EXPECT_EQ(std::get<std::string>(symmetric.at("weights")), "packed");
  EXPECT_EQ(std::get<int64_t>(symmetric.at("group")), 64);
  EXPECT_FALSE(std::get<bool>(symmetric.at("zero_points")));
  EXPECT_TRUE(std::get<bool>(other.at("zero_points")));
}

TEST_F(Sections, OtherGroupsAreRefused) {
  const auto says = [&](std::string_view from, std::string_view to, const std::string& what) {
    EXPECT_SAYS(refusal(with_experts(in_groups(from, to))), "quantization_config" + what);
  };
  says("pack-quantized", "float-quantized", " is not pack-quantized");
  says("\"num_bits\": 4", "\"num_bits\": 8", " has weights that are no int of 4 bits");
  says("\"int\"", "\"float\"", " has weights that are no int of 4 bits");
  says("\"group\",", "\"channel\",", " has weights without groups of inputs");
  says("64", "0", " has weights without groups of inputs");
  says("64", "null", " has weights without groups of inputs");
  says("\"weights\": {", "\"other\": {", " has not one group of weights");
}

// Of these the architecture has no form that is packed, and of those none at all.
TEST_F(Sections, FormsThatAnArchitectureHasNotAreRefused) {
  const std::string bert = R"({"model_type": "bert", "vocab_size": 9, "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 4, "max_position_embeddings": 4, "type_vocab_size": 2, "quantization_config": {"quant_method": "fp8"}})";
  EXPECT_SAYS(refusal(bert),
              "quantization_config is an object, expected weights that are not quantized: architecture bert takes no others");
  const std::string latent = R"({"model_type": "deepseek_v3", "vocab_size": 9, "hidden_size": 4, "num_attention_heads": 2,
    "num_hidden_layers": 1, "intermediate_size": 4, "max_position_embeddings": 4, "kv_lora_rank": 4, "qk_nope_head_dim": 2,
    "qk_rope_head_dim": 2, "v_head_dim": 2, "n_routed_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 4,
    "quantization_config": )";
  EXPECT_TRUE(refusal(latent + in_groups() + "}")
                  .ends_with("quantization_config has quant_method \"compressed-tensors\", expected fp8 with weight_block_size [128, 128]"))
      << refusal(latent + in_groups() + "}");
}

TEST_F(Sections, ScalesThatTheConfigurationDoesNotSpeakOfHaveNoPlace) {
  Shapes tensors = llama_tensors();
  tensors.push_back({"model.layers.0.mlp.up_proj.weight_scale_inv", {1, 1}});
  EXPECT_SAYS(imported(llama_config(), tensors).status().message(),
              "tensor \"model.layers.0.mlp.up_proj.weight_scale_inv\" has no place in a model of architecture llama, whose weights "
              "config.json does not say to come with scales");
}

TEST_F(Sections, ScalesOfCachesAreWantedOfAllAttentionsOrOfNone) {
  Shapes tensors = llama_tensors();
  tensors.push_back({"model.layers.0.self_attn.k_scale", {}});
  EXPECT_SAYS(imported(llama_config(), tensors).status().message(), "is bf16 [], expected f32 [1] for layers.0.self_attn.attn.k_scale");
  EXPECT_SAYS(imported(llama_config(), tensors).status().message(),
              "no tensor \"model.layers.0.self_attn.v_proj.v_scale\", expected f32 [1]");
}

TEST_F(Sections, AScaleMayBeStoredWithoutDimensions) {
  std::vector<Typed> tensors;
  for (const auto& [name, shape] : llama_tensors()) tensors.push_back({name, "BF16", shape});
  tensors.push_back({"model.layers.0.self_attn.k_proj.k_scale", "F32", {}});
  tensors.push_back({"model.layers.0.self_attn.v_proj.v_scale", "F32", {1}});
  folder_.write("model/config.json", llama_config());
  folder_.write("model/model.safetensors", tensor_file(tensors));
  const Result<std::string> text = import_model(folder_.path() / "model");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_SAYS(*text, "kv_scales: true");
}

}  // namespace
}  // namespace reloadlab::sim
