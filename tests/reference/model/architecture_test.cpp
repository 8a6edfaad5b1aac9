// Architectures as lists of layers: sizes as published, ranks that they can be split over, and keys that they refuse.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/reference/model/fixture.h"
#include "tests/reference/model/small_models.h"

namespace reloadlab::model {
namespace {

struct Published {
  std::string name, architecture;
  Values values;
  int64_t parameters;
  size_t tensors;
  int ranks_most = 8;
};

void PrintTo(const Published& one, std::ostream* out) { *out << one.name; }

class PublishedSizes : public testing::TestWithParam<Published> {};

TEST_P(PublishedSizes, are_those_of_the_layers) {
  const ModelSpec spec = expanded(GetParam().architecture, GetParam().values, DType::bf16);
  for (const int ranks : {1, 2, 4, 8})
    EXPECT_EQ(check_model(spec, ranks).ok(), ranks <= GetParam().ranks_most) << ranks << ": " << check_model(spec, ranks).message();
  int64_t elements = 0;
  const std::vector<Delivery> deliveries = deliveries_of(spec);
  for (const Delivery& delivery : deliveries) elements += numel(delivery.shape);
  EXPECT_EQ(elements, GetParam().parameters);
  EXPECT_EQ(deliveries.size(), GetParam().tensors);
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedSizes,
    testing::Values(Published{"llama3_8b", "llama", {}, 8'030'261'248, 291},
                    Published{"qwen3_8b",
                              "llama",
                              {{"vocab", 151936L}, {"blocks", 36L}, {"intermediate", 12288L}, {"head_dim", 128L}, {"qk_norm", true}},
                              8'190'735'360,
                              399},
                    // biases, and the embedding for a head
                    Published{"qwen2_5_3b",
                              "llama",
                              {{"vocab", 151936L},
                               {"hidden", 2048L},
                               {"heads", 16L},
                               {"kv_heads", 2L},
                               {"blocks", 36L},
                               {"intermediate", 11008L},
                               {"qkv_bias", true},
                               {"tied_head", true}},
                              3'085'938'688,
                              434},
                    Published{"qwen3_30b_a3b", "qwen_moe", {}, 30'532'122'624, 18'867},
                    Published{"deepseek_v3", "deepseek", {}, 671'026'419'200, 45'395},
                    // 48 · 128 · 3 matrices of 768 × 2048, each with 6 × 16 scales, and of every block query, key, value and output
                    // with 32 × 16 + 2 · 4 × 16 + 16 × 32. Four ranks have a whole key-value head each, eight would share them.
                    Published{"qwen3_30b_a3b_fp8",
                              "qwen_moe",
                              {{"weights", std::string("scaled")}, {"parallel", std::string("expert")}},
                              30'532'122'624 + 18'432 * 96 + 48 * 1'152,
                              37'491,
                              4},
                    // 58 · 256 · 3 matrices of 2048 × 7168, each with 16 × 56 scales, as many of the shared expert, three dense MLPs of
                    // 144 × 56, and of every block q_a 12 × 56, q_b 192 × 12, kv_a 5 × 56, kv_b 256 × 4 and o 56 × 128
                    Published{"deepseek_v3_fp8",
                              "deepseek",
                              {{"weights", std::string("scaled")}},
                              671'026'419'200 + 44'544 * 896 + 174 * 896 + 9 * 8'064 + 61 * 11'448,
                              90'427},
                    // of every matrix [n, k] n × k/8 words, n × k/128 scales and a shape
                    Published{"llama3_8b_int4",
                              "llama",
                              {{"weights", std::string("packed")}},
                              8'030'261'248 - 32 * 218'103'808L + 32 * (218'103'808L / 8 + 218'103'808L / 128 + 14),
                              291 + 32 * 7 * 2}),
    [](const auto& one) { return one.param.name; });

TEST(SmallModels, are_built_and_loaded_on_every_number_of_ranks) {
  for (const SmallModel& small : small_models()) {
    const ModelSpec spec = expanded(small.architecture, small.values);
    for (const int size : {1, 2, 4}) {
      const Status status = check_model(spec, size);
      ASSERT_TRUE(status.ok()) << small.name << ": " << status.message();
      const Group group = cold_group(spec, size, numbered(spec));
      EXPECT_EQ(group.ranks.front()->layers().size(), spec.layers.size()) << small.name;
    }
  }
}

TEST(SmallModels, are_quantized_in_their_linear_layers) {
  for (const SmallModel& small : small_models()) {
    Values values = small.values;
    values.insert_or_assign("quant", std::string("int8_per_channel"));
    const ModelSpec spec = expanded(small.architecture, values);
    const Status status = check_model(spec, 2);
    EXPECT_TRUE(status.ok()) << small.name << ": " << status.message();
    for (const LayerSpec& layer : spec.layers) {
      const bool linear = layer.name.ends_with("o_proj") || layer.name.ends_with("down_proj");
      EXPECT_TRUE(!linear || layer.quant == "int8_per_channel") << layer.name;
      const bool left_alone = layer.name.ends_with("kv_b_proj") || layer.name.ends_with("experts");
      EXPECT_TRUE(!left_alone || layer.quant == "none") << layer.name;
    }
  }
}

TEST(SmallModels, tie_their_heads_when_told) {
  const ModelSpec spec = expanded("llama", {{"blocks", 1L}, {"tied_head", true}});
  EXPECT_EQ(spec.layers.back().tied_to, "embed_tokens.weight");
  for (const Delivery& delivery : deliveries_of(spec)) EXPECT_NE(delivery.layer, "lm_head");
}

const LayerSpec& layer_at(const ModelSpec& spec, std::string_view name) { return *std::ranges::find(spec.layers, name, &LayerSpec::name); }

TEST(Architectures, bring_every_linear_layer_and_expert_scaled_and_nothing_else) {
  const ModelSpec spec = expanded("deepseek", {{"weights", std::string("scaled")}, {"blocks", 4L}}, DType::bf16);
  const std::set<std::string_view> plain{
      "embed_tokens",  "norm",     "lm_head", "rotary_emb",    "input_layernorm", "post_attention_layernorm",
      "q_a_layernorm", "mla_attn", "gate",    "kv_a_layernorm"};
  for (const LayerSpec& layer : spec.layers) {
    const std::string_view word = std::string_view(layer.name).substr(layer.name.rfind('.') + 1);
    const bool scaled = !plain.contains(word), experts = word == "experts";
    EXPECT_EQ(layer.dtype, scaled ? DType::e4m3 : DType::bf16) << layer.name;
    EXPECT_EQ(layer.quant, scaled && !experts ? "loaded_fp8_block" : "none") << layer.name;
    EXPECT_EQ(scaled && !experts, layer.kind.starts_with("scaled_")) << layer.name;
  }
}

TEST(Architectures, bring_packed_weights_with_the_groups_that_they_are_told) {
  const ModelSpec spec =
      expanded("qwen_moe",
               {{"weights", std::string("packed")}, {"group", 32L}, {"zero_points", true}, {"shared_intermediate", 64L}, {"blocks", 1L}});
  for (const char* name : {"self_attn.qkv_proj", "self_attn.o_proj", "mlp.experts", "mlp.shared_expert.down_proj"}) {
    const LayerSpec& layer = layer_at(spec, fmt::format("layers.0.{}", name));
    EXPECT_EQ(layer.integer("group"), 32) << name;
    EXPECT_TRUE(layer.flag("zero_points")) << name;
    EXPECT_EQ(layer.quant, layer.kind == "fused_experts" ? "experts_wna16" : "wna16") << name;
  }
  EXPECT_EQ(layer_at(spec, "layers.0.mlp.shared_expert_gate").kind, "replicated_linear");
  EXPECT_TRUE(check_model(spec, 2).ok()) << check_model(spec, 2).message();
}

TEST(Architectures, tell_experts_where_they_are_and_how_they_are_quantized) {
  const ModelSpec spec = expanded("qwen_moe", {{"parallel", std::string("expert")},
                                               {"placement", std::string("round_robin")},
                                               {"redundant", 8L},
                                               {"expert_quant", std::string("experts_fp8_block")},
                                               {"blocks", 1L}});
  const LayerSpec& experts = layer_at(spec, "layers.0.mlp.experts");
  EXPECT_EQ(experts.text("placement"), "round_robin");
  EXPECT_EQ(experts.integer("redundant"), 8);
  EXPECT_EQ(experts.quant, "experts_fp8_block");
  EXPECT_EQ(layer_at(spec, "layers.0.self_attn.o_proj").quant, "none");
}

TEST(Architectures, have_a_dense_mlp_in_the_blocks_that_are_said_to) {
  const ModelSpec spec = expanded("qwen_moe", {{"sparse_step", 2L}, {"mlp_only_blocks", Shape{1, 4}}, {"blocks", 6L}});
  std::vector<bool> dense;
  for (int block = 0; block < 6; ++block)
    dense.push_back(std::ranges::count(spec.layers, fmt::format("layers.{}.mlp.down_proj", block), &LayerSpec::name) == 1);
  EXPECT_EQ(dense, (std::vector<bool>{true, true, true, false, true, false}));
}

std::string refusal(std::string architecture, Values values) {
  ModelSpec spec{.architecture = std::move(architecture), .values = std::move(values)};
  return expand_architecture(spec).message();
}

TEST(Architectures, refuse_sizes_that_make_no_layers) {
  EXPECT_EQ(refusal("llama", {{"heads", 30L}}), "hidden 4096 is no multiple of 30 heads");
  EXPECT_EQ(refusal("llama", {{"heads", 30L}, {"kv_heads", 30L}, {"head_dim", 128L}}), "");
  EXPECT_EQ(refusal("qwen_moe", {{"blocks", 2'000'000'000L}}), "2000000000 blocks, expected at most 1024");
  EXPECT_EQ(refusal("bert", {{"blocks", 1025L}}), "1025 blocks, expected at most 1024");
  EXPECT_EQ(refusal("deepseek", {{"heads", 100'000'000L}}),
            "heads and the elements of a query: 100000000 times 192, expected at most 2147483647");
  EXPECT_EQ(refusal("deepseek", {{"shared_experts", 0L}, {"blocks", 4L}}), "");
  EXPECT_EQ(refusal("llama", {{"kv_heads", 5L}}), "32 heads cannot share 5 kv heads");
}

TEST(Architectures, refuse_what_weights_that_come_quantized_cannot_have) {
  const std::string scaled = "scaled", packed = "packed";
  EXPECT_EQ(refusal("llama", {{"weights", scaled}, {"quant", std::string("fp8_block")}}),
            "quant: fp8_block with weights: scaled, which come quantized");
  EXPECT_EQ(refusal("deepseek", {{"weights", scaled}, {"expert_quant", std::string("experts_fp8_block")}}),
            "expert_quant: experts_fp8_block with weights: scaled, which come quantized");
  EXPECT_EQ(refusal("qwen_moe", {{"weights", packed}, {"qkv_bias", true}}), "qkv_bias with weights: packed, whose layers have no biases");
  EXPECT_EQ(refusal("llama", {{"weights", packed}, {"o_bias", true}}), "o_bias with weights: packed, whose layers have no biases");
  const ModelSpec wide = expanded("qwen_moe", {{"weights", scaled}, {"parallel", std::string("expert")}, {"blocks", 1L}});
  EXPECT_EQ(check_model(wide, 8).message(), "layers.0.self_attn.qkv_proj: 512 outputs over 8 ranks do not meet at blocks of 128");
}

}  // namespace
}  // namespace reloadlab::model
