// Architectures as lists of layers: sizes as published, ranks that they can be split over, and keys that they refuse.
#include <fmt/format.h>

#include "tests/reference/model/fixture.h"
#include "tests/reference/model/small_models.h"

namespace reloadlab::model {
namespace {

struct Published {
  std::string name, architecture;
  Values values;
  int64_t parameters;
  size_t tensors;
};

void PrintTo(const Published& one, std::ostream* out) { *out << one.name; }

class PublishedSizes : public testing::TestWithParam<Published> {};

TEST_P(PublishedSizes, are_those_of_the_layers) {
  const ModelSpec spec = expanded(GetParam().architecture, GetParam().values, DType::bf16);
  for (const int ranks : {1, 2, 4, 8}) EXPECT_TRUE(check_model(spec, ranks).ok()) << check_model(spec, ranks).message();
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
                    // 48 · 128 · 3 matrices of 768 × 2048, each with 6 × 16 scales
                    Published{"qwen3_30b_a3b_fp8",
                              "qwen_moe",
                              {{"expert_scales", std::string("block")}, {"parallel", std::string("expert")}},
                              30'532'122'624 + 18'432 * 96,
                              37'299},
                    // 58 · 256 · 3 matrices of 2048 × 7168, each with 16 × 56 scales
                    Published{
                        "deepseek_v3_fp8", "deepseek", {{"expert_scales", std::string("block")}}, 671'026'419'200 + 44'544 * 896, 89'939}),
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
    }
  }
}

TEST(SmallModels, tie_their_heads_when_told) {
  const ModelSpec spec = expanded("llama", {{"blocks", 1L}, {"tied_head", true}});
  EXPECT_EQ(spec.layers.back().tied_to, "embed_tokens.weight");
  for (const Delivery& delivery : deliveries_of(spec)) EXPECT_NE(delivery.layer, "lm_head");
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
}

}  // namespace
}  // namespace reloadlab::model
