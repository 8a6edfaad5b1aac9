#pragma once
// One small model of each kind of decoder, which four ranks can share.
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {

struct SmallModel {
  std::string name, architecture;
  Values values;
};

inline ModelSpec expanded(std::string architecture, Values values, DType dtype = DType::f32) {
  ModelSpec spec{.dtype = dtype, .architecture = std::move(architecture), .values = std::move(values)};
  const Status status = expand_architecture(spec);
  EXPECT_TRUE(status.ok()) << status.message();
  return spec;
}

inline std::vector<SmallModel> small_models() {
  const auto with = [](Values more) {
    more.merge(Values{
        {"vocab", 50L}, {"pad_to", 16L}, {"hidden", 24L}, {"heads", 4L}, {"blocks", 2L}, {"intermediate", 36L}, {"max_position", 16L}});
    return more;
  };
  const Values experts{{"kv_heads", 2L}, {"head_dim", 6L}, {"experts", 4L}, {"top_k", 2L}, {"expert_intermediate", 8L}};
  Values shared = experts, dealt = experts;
  shared.merge(Values{{"sparse_step", 2L}, {"shared_intermediate", 12L}});
  dealt.merge(Values{{"parallel", std::string("expert")}});
  const Values latent{
      {"q_lora_rank", 10L}, {"kv_lora_rank", 6L}, {"qk_nope_head_dim", 4L},    {"qk_rope_head_dim", 2L}, {"v_head_dim", 5L},
      {"experts", 4L},      {"top_k", 2L},        {"expert_intermediate", 8L}, {"dense_blocks", 1L},     {"shared_experts", 2L}};
  Values lite = latent;
  lite.insert_or_assign("q_lora_rank", int64_t{0});
  lite.insert_or_assign("correction_bias", false);
  return {{"llama", "llama", with({{"kv_heads", 2L}})},
          {"qwen2", "llama", with({{"kv_heads", 1L}, {"qkv_bias", true}, {"tied_head", true}})},
          {"qwen3", "llama", with({{"kv_heads", 4L}, {"head_dim", 10L}, {"qk_norm", true}})},
          {"qwen2_moe", "qwen_moe", with(shared)},
          {"qwen3_moe", "qwen_moe", with(dealt)},
          {"deepseek_v2", "deepseek", with(lite)},
          {"deepseek_v3", "deepseek", with(latent)}};
}

}  // namespace reloadlab::model
