#include "sim/import/import.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/scenario/scenario.h"
#include "tests/sim/import/model_folder.h"

namespace reloadlab::sim {
namespace {

class Import : public testing::Test {
 protected:
  void write(const std::string& config, const Shapes& tensors, const std::string& type = "BF16") {
    folder_.write("Small Model_1/config.json", config);
    folder_.write("Small Model_1/model.safetensors", tensor_file(tensors, type));
  }
  Result<std::string> imported() const { return import_model(folder_.path() / "Small Model_1"); }
  std::vector<Case> cases() const {
    const std::vector<std::string> laws = {"cold_load_equal", "return_exact", "address_stable",   "no_residue",
                                           "memory_bound",    "event_order",  "coverage_reported"};
    const Result<std::string> text = imported();
    EXPECT_TRUE(text.ok()) << text.status().message();
    Result<std::vector<Case>> parsed = parse_scenario(text.ok() ? *text : "", "small.yaml", {.known_laws = laws});
    EXPECT_TRUE(parsed.ok()) << parsed.status().message();
    return parsed.ok() ? *parsed : std::vector<Case>();
  }
  // What import says, the test's own folder left out.
  std::string refusal() const {
    const Result<std::string> text = imported();
    if (text.ok()) return "accepted";
    std::string message = text.status().message();
    const std::string own = std::filesystem::weakly_canonical(folder_.path() / "Small Model_1").string();
    for (size_t at = message.find(own); at != message.npos; at = message.find(own)) message.replace(at, own.size(), "DIR");
    return message;
  }
  TemporaryFolder folder_;
};

TEST_F(Import, AFolderBecomesAScenarioThatParses) {
  write(llama_config(), llama_tensors());
  const std::vector<Case> all = cases();
  ASSERT_EQ(all.size(), 2U);
  const Case& one = all.front();
  EXPECT_EQ(one.scenario, "small-model_1");
  EXPECT_EQ(one.about, "Imported from a model folder: model_type llama, 12 tensors. B is A with every element changed.");
  EXPECT_EQ(one.model.architecture, "llama");
  EXPECT_EQ(one.model.dtype, DType::bf16);
  EXPECT_EQ(std::get<int64_t>(one.model.values.at("kv_heads")), 1);
  EXPECT_EQ(std::get<double>(one.model.values.at("rope_base")), 10000.0);
  EXPECT_EQ(one.checkpoint("A")->path, std::filesystem::weakly_canonical(folder_.path() / "Small Model_1").string());
  EXPECT_EQ(one.checkpoint("A")->map, "llama");
  EXPECT_EQ(one.checkpoint("B")->base, "A");
  ASSERT_EQ(one.steps.size(), 3U);
  EXPECT_EQ(one.steps[0].kind, StepKind::load);
  EXPECT_EQ(one.steps[2].plan.checkpoint, "A");
  EXPECT_EQ(all[0].ranks, 1);
  EXPECT_EQ(all[1].ranks, 2);
}

TEST_F(Import, TensorsMayLieInShardsWithAnIndex) {
  write(llama_config(), llama_tensors());
  std::filesystem::remove(folder_.path() / "Small Model_1/model.safetensors");
  const Shapes all = llama_tensors();
  std::string map;
  for (size_t i = 0; i < all.size(); ++i) map += fmt::format(R"({}"{}":"{}.safetensors")", i ? "," : "", all[i].first, i < 5 ? "a" : "b");
  folder_.write("Small Model_1/a.safetensors", tensor_file(Shapes(all.begin(), all.begin() + 5)));
  folder_.write("Small Model_1/b.safetensors", tensor_file(Shapes(all.begin() + 5, all.end())));
  folder_.write("Small Model_1/model.safetensors.index.json", R"({"weight_map":{)" + map + "}}");
  EXPECT_EQ(cases().size(), 2U);
}

TEST_F(Import, RanksThatSizesDoNotDivideIntoAreLeftOut) {
  Shapes tensors = llama_tensors();
  for (auto& [name, shape] : tensors)
    for (int& size : shape) size = size == 6 ? 5 : size;
  write(replaced(llama_config(), "\"intermediate_size\": 6", "\"intermediate_size\": 5"), tensors);
  EXPECT_EQ(cases().size(), 1U);
}

TEST_F(Import, TheElementTypeIsThatOfTheFile) {
  write(llama_config(), llama_tensors(), "F16");
  EXPECT_EQ(cases().front().model.dtype, DType::f16);
}

TEST_F(Import, ATiedHeadMayBeInTheFileOrNot) {
  const std::string tied = replaced(llama_config(), "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
  write(tied, llama_tensors());
  EXPECT_EQ(cases().size(), 2U);
  Shapes without = llama_tensors();
  without.pop_back();
  write(tied, without);
  EXPECT_EQ(cases().size(), 2U);
  Shapes other = llama_tensors();
  other.back().second = {5, 4};
  write(tied, other);
  const std::string said = refusal();
  EXPECT_NE(said.find("tensor \"lm_head.weight\" is bf16 [5, 4], expected bf16 [10, 4] for embed_tokens.weight"), said.npos) << said;
}

TEST_F(Import, BiasesOfAttentionAreThoseOfItsOutputToo) {
  Shapes tensors = llama_tensors();
  const std::pair<const char*, int> biases[] = {{"q_proj", 4}, {"k_proj", 2}, {"v_proj", 2}, {"o_proj", 4}};
  for (const auto& [name, size] : biases) tensors.push_back({fmt::format("model.layers.0.self_attn.{}.bias", name), {size}});
  write(replaced(llama_config(), "\"hidden_size\": 4", "\"hidden_size\": 4, \"attention_bias\": true"), tensors);
  EXPECT_TRUE(imported().ok()) << refusal();
}

TEST_F(Import, TheBaseOfPositionsMayStandInAnObjectOfItsOwn) {
  const auto base = [&](const std::string& more) {
    write(replaced(llama_config(), "\"hidden_size\": 4", "\"hidden_size\": 4, " + more), llama_tensors());
    return std::get<double>(cases().front().model.values.at("rope_base"));
  };
  EXPECT_EQ(base(R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"})"), 1e6);
  EXPECT_EQ(base(R"("rope_parameters": {"rope_type": "default"})"), 1e4);
}

TEST_F(Import, NamesWithoutAPlaceAndTensorsThatAreMissingAreAllReported) {
  Shapes tensors = llama_tensors();
  tensors[6].first = "model.layers.0.mlp.up_porj.weight";
  tensors.push_back({"vision.patch.weight", {2, 2}});
  write(llama_config(), tensors);
  const std::string said = refusal();
  EXPECT_NE(said.find("tensor \"model.layers.0.mlp.up_porj.weight\" has no place in a model of architecture llama; did you mean "
                      "\"model.layers.0.mlp.up_proj.weight\"?\n"),
            said.npos)
      << said;
  EXPECT_NE(said.find("tensor \"vision.patch.weight\" has no place in a model of architecture llama\n"), said.npos) << said;
  EXPECT_NE(said.find("DIR: offset 0: no tensor \"model.layers.0.mlp.up_proj.weight\", expected bf16 [6, 4]"), said.npos) << said;
  EXPECT_EQ(std::ranges::count(said, '\n'), 2) << said;
  EXPECT_EQ(imported().status().code(), Code::data);
}

TEST_F(Import, MissingTensorsAreCalledAsTheFileWouldCallThem) {
  for (const std::string prefix : {"", "language_model.model."}) {
    Shapes tensors = llama_tensors();
    for (auto& [name, shape] : tensors)
      if (name != "lm_head.weight") name.replace(0, 6, prefix);
    tensors.erase(tensors.begin() + 6);
    tensors.pop_back();
    write(llama_config(), tensors);
    EXPECT_EQ(refusal(), "DIR: offset 0: no tensor \"" + prefix +
                             "layers.0.mlp.up_proj.weight\", expected bf16 [6, 4]\n"
                             "DIR: offset 0: no tensor \"lm_head.weight\", expected bf16 [10, 4]");
  }
}

TEST_F(Import, AnotherShapeAndATensorThatIsThereTwiceAreReported) {
  Shapes tensors = llama_tensors();
  tensors[5].second = {4, 6};
  tensors.push_back({"layers.0.mlp.up_proj.weight", {6, 4}});
  write(llama_config(), tensors);
  const std::string said = refusal();
  EXPECT_NE(said.find("tensor \"model.layers.0.mlp.gate_proj.weight\" is bf16 [4, 6], expected bf16 [6, 4] for "
                      "layers.0.mlp.gate_proj.weight"),
            said.npos)
      << said;
  EXPECT_NE(said.find("tensor \"model.layers.0.mlp.up_proj.weight\" goes where \"layers.0.mlp.up_proj.weight\" goes, expected one of them"),
            said.npos)
      << said;
}

TEST_F(Import, ManyComplaintsAreCutShort) {
  Shapes tensors = llama_tensors();
  for (int i = 0; i < 30; ++i) tensors.push_back({fmt::format("other.{}.weight", i), {1}});
  write(llama_config(), tensors);
  const std::string said = refusal();
  EXPECT_EQ(std::ranges::count(said, '\n'), 20) << said;
  EXPECT_TRUE(said.ends_with("\nand 10 more")) << said;
}

TEST_F(Import, AFolderThatIsNotThereIsWrongUsage) {
  EXPECT_EQ(imported().status().code(), Code::usage);
  EXPECT_NE(refusal().find("no such folder, expected one with config.json and safetensors files"), std::string::npos) << refusal();
}

TEST_F(Import, AFolderWithoutWeightsOrConfigurationIsBadData) {
  folder_.write("Small Model_1/config.json", llama_config());
  EXPECT_EQ(refusal(), "DIR: offset 0: a folder without weights, expected model.safetensors or model.safetensors.index.json in it");
  std::filesystem::remove(folder_.path() / "Small Model_1/config.json");
  EXPECT_EQ(refusal(), "DIR/config.json: offset 0: No such file or directory, expected the configuration of a model");
}

struct BadConfig {
  std::string name, from, to, says;
};
void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }

class Config : public Import, public testing::WithParamInterface<BadConfig> {};

TEST_P(Config, SaysWhatItExpected) {
  write(replaced(llama_config(), GetParam().from, GetParam().to), llama_tensors());
  EXPECT_EQ(imported().status().code(), Code::data);
  EXPECT_TRUE(refusal().starts_with("DIR/config.json: ")) << refusal();
  EXPECT_NE(refusal().find(GetParam().says), std::string::npos) << refusal();
}

const std::string known =
    "bert, llama, mistral, qwen2, qwen2_5_vl_text, qwen3, qwen3_vl_text, qwen2_moe, qwen3_moe, deepseek_v2, deepseek_v3";

INSTANTIATE_TEST_SUITE_P(
    All, Config,
    testing::Values(
        BadConfig{"type", "\"llama\"", "\"lama\"",
                  "offset 54: model_type is \"lama\", expected one of " + known + "; did you mean \"llama\"?"},
        BadConfig{"no_type", "\"model_type\": \"llama\",", "", "offset 0: no model_type, expected an object with one of " + known},
        BadConfig{"type_is_a_number", "\"llama\"", "3", "offset 54: no model_type, expected an object with one of " + known},
        BadConfig{"missing", "\"hidden_size\": 4,", "", "offset 0: no hidden_size, expected an integer from 1 to 2147483647"},
        BadConfig{"null", "\"hidden_size\": 4,", "\"hidden_size\": null,", "no hidden_size, expected an integer from 1 to 2147483647"},
        BadConfig{"zero", "\"hidden_size\": 4,", "\"hidden_size\": 0,", "hidden_size is 0, expected an integer from 1 to 2147483647"},
        BadConfig{"huge", "\"hidden_size\": 4,", "\"hidden_size\": 2147483648,", "hidden_size is 2147483648, expected an integer"},
        BadConfig{"text", "\"hidden_size\": 4,", "\"hidden_size\": \"4\",", "hidden_size is \"4\", expected an integer"},
        BadConfig{"fraction", "1e-05", "\"small\"", "rms_norm_eps is \"small\", expected a number"},
        BadConfig{"truth", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0",
                  "tie_word_embeddings is 0, expected true or false"},
        BadConfig{"heads", "\"num_attention_heads\": 2", "\"num_attention_heads\": 3", "hidden 4 is no multiple of 3 heads"},
        BadConfig{"kv_heads", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", "2 heads cannot share 3 kv heads"},
        BadConfig{"blocks", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2000000000", "2000000000 blocks, expected at most 1024"},
        BadConfig{"quantized", "\"head_dim\": null", "\"quantization_config\": {\"quant_method\": \"fp8\"}",
                  "quantization_config has no weight_block_size, expected fp8 with weight_block_size [128, 128], or compressed-tensors"},
        BadConfig{"quantized_by_name", "\"head_dim\": null", "\"quantization_config\": \"fp8\"",
                  "quantization_config is \"fp8\", expected an object"},
        BadConfig{"no_json", "{", "[", "expected"},
        BadConfig{"twice", "\"vocab_size\": 10", "\"vocab_size\": 10, \"vocab_size\": 10", "a second time"}),
    [](const auto& bad) { return bad.param.name; });

}  // namespace
}  // namespace reloadlab::sim
