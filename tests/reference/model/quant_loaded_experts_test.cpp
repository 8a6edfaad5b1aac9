// Experts that come in 8-bit floats with a scale a matrix, against arithmetic written down again, element by element, without LibTorch.
#include <cmath>
#include <cstring>

#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

constexpr const char* kMethod = "loaded_experts_fp8_per_tensor";

LayerSpec loaded_stack_experts(int64_t hidden, int64_t intermediate, int64_t count, const char* scales = "tensor",
                               DType dtype = DType::e4m3) {
  LayerSpec spec =
      layer_of("fused_experts", {{"hidden", hidden}, {"intermediate", intermediate}, {"experts", count}, {"scales", std::string(scales)}},
               "x", dtype);
  spec.quant = kMethod;
  return spec;
}

template <class T>
void fill(const at::Tensor& tensor, const std::vector<T>& values) {
  ASSERT_EQ(tensor.nbytes(), values.size() * sizeof(T));
  std::memcpy(tensor.data_ptr(), values.data(), tensor.nbytes());
}

float larger(float one, float other) { return std::isnan(one) || std::isnan(other) ? NAN : std::max(one, other); }

TEST(LoadedExpertsFp8, every_value_is_quantized_again_with_the_larger_scale) {
  constexpr int64_t count = 3, hidden = 32, rows = 8;  // 256 elements a matrix: every byte there is
  std::vector<uint8_t> bytes(count * 2 * rows * hidden);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  for (const std::vector<float>& scales :
       {std::vector<float>{1, 2, 0.3F, 0.1F, 5, 5}, {1e-30F, 1e30F, 3e38F, 1, 0, 1}, {INFINITY, 1, NAN, 2, 3, NAN}}) {
    std::unique_ptr<Model> model = build_model(model_of({loaded_stack_experts(hidden, rows, count)}), {});
    fill(tensor_at(*model, "x.w13_weight"), bytes);
    fill(tensor_at(*model, "x.w13_weight_scale"), scales);
    tensor_at(*model, "x.w2_weight").view(at::kByte).fill_(7);
    tensor_at(*model, "x.w2_weight_scale").fill_(0.5);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    const auto* got = static_cast<const uint8_t*>(tensor_at(*model, "x.w13_weight").const_data_ptr());
    for (size_t expert = 0; expert < count; ++expert) {
      const float scale = larger(scales[2 * expert], scales[2 * expert + 1]);
      ASSERT_TRUE(same_bits(tensor_at(*model, "x.w13_weight_scale").const_data_ptr<float>()[expert], scale));
      for (size_t i = 0; i < 2 * rows * hidden; ++i) {
        const size_t at = expert * 2 * rows * hidden + i;
        const float single = from_e4m3(bytes[at]) * scales[2 * expert + i / (rows * hidden)];
        ASSERT_EQ(got[at], kernel_e4m3(single / scale)) << from_e4m3(bytes[at]) << " for " << scale;
      }
    }
    EXPECT_EQ(tensor_at(*model, "x.w2_weight_scale").sizes().vec(), Shape{count});
    EXPECT_TRUE(tensor_at(*model, "x.w2_weight").view(at::kByte).eq(7).all().item<bool>());
  }
}

TEST(LoadedExpertsFp8, is_refused_where_there_is_no_scale_a_matrix) {
  const auto refusal = [](const LayerSpec& spec) { return check_model(model_of({spec}), 1).message(); };
  const std::string needs =
      "x: quantization loaded_experts_fp8_per_tensor needs experts in e4m3 with w13_weight_scale, as fused_experts has them with scales: "
      "tensor";
  EXPECT_EQ(refusal(loaded_stack_experts(4, 4, 2, "none")), needs);
  EXPECT_EQ(refusal(loaded_stack_experts(4, 128, 2, "block")), needs);
  EXPECT_EQ(refusal(loaded_stack_experts(4, 4, 2, "tensor", DType::i8)), needs);
  EXPECT_EQ(refusal(loaded_stack_experts(4, 4, 2)), "");
}

std::vector<LayerSpec> loaded_stack_layers() {
  return {loaded_stack_experts(1, 1, 1), loaded_stack_experts(5, 3, 2), loaded_stack_experts(7, 4, 2)};
}
INSTANTIATE_TEST_SUITE_P(LoadedExperts, QuantStep, ::testing::ValuesIn(loaded_stack_layers()), quant_step_name);

}  // namespace
}  // namespace reloadlab::model
