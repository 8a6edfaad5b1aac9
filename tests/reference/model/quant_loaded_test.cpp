// 8-bit weights that come with their scales: what their post-load steps leave, against arithmetic written down again.
#include <cstring>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

LayerSpec scaled(std::vector<int64_t> outs, int64_t k, std::string scales, std::string quant, DType dtype = DType::e4m3) {
  LayerSpec spec =
      layer_of("scaled_column_parallel_linear", {{"in", k}, {"outs", std::move(outs)}, {"scales", std::move(scales)}}, "x", dtype);
  spec.quant = std::move(quant);
  return spec;
}

void fill_loaded(const at::Tensor& tensor, const std::vector<uint8_t>& bytes) {
  ASSERT_EQ(tensor.nbytes(), bytes.size());
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
}

void fill_loaded(const at::Tensor& tensor, const std::vector<float>& values) {
  ASSERT_EQ(tensor.numel(), static_cast<int64_t>(values.size()));
  std::memcpy(tensor.data_ptr(), values.data(), values.size() * sizeof(float));
}

std::vector<uint8_t> every_byte(int64_t times) {
  std::vector<uint8_t> bytes;
  for (int64_t i = 0; i < 256 * times; ++i) bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

TEST(LoadedFp8PerTensor, quantizes_every_value_again_with_the_largest_scale) {
  const std::vector<std::vector<float>> loaded_cases = {{1, 2, 4}, {0.3F, 0.1F, 0.29999998F}, {1e-30F, 1e30F, 3}, {7, 7, 7},  {0, 1, 0},
                                                        {0, 0, 0}, {1e-45F, 1e-44F, 0},       {INFINITY, 1, 2},   {NAN, 1, 2}};
  for (const std::vector<float>& scales : loaded_cases) {
    std::unique_ptr<Model> model = build_model(model_of({scaled({16, 16, 16}, 16, "tensor", "loaded_fp8_per_tensor")}), {});
    const std::vector<uint8_t> loaded = every_byte(3);
    fill_loaded(tensor_at(*model, "x.weight"), loaded);
    fill_loaded(tensor_at(*model, "x.weight_scale"), scales);
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    float most = scales[0];
    for (float scale : scales) most = std::isnan(most) || std::isnan(scale) ? NAN : std::max(most, scale);
    const float got_scale = tensor_at(*model, "x.weight_scale").const_data_ptr<float>()[0];
    ASSERT_TRUE(same_bits(got_scale, most)) << got_scale;
    const at::Tensor kernel = tensor_at(*model, "x.weight").view(at::kByte);
    ASSERT_EQ(kernel.sizes().vec(), (Shape{16, 48}));
    for (int64_t i = 0; i < 48; ++i)
      for (int64_t l = 0; l < 16; ++l) {
        const uint8_t before = loaded[static_cast<size_t>(i * 16 + l)], got = kernel.const_data_ptr<uint8_t>()[l * 48 + i];
        const uint8_t wanted = kernel_e4m3(from_e4m3(before) * scales[static_cast<size_t>(i / 16)] / most);
        ASSERT_EQ(got, wanted) << from_e4m3(before) << " with " << scales[static_cast<size_t>(i / 16)] << " for " << most;
      }
  }
}

TEST(LoadedFp8PerTensor, has_the_same_scale_and_bytes_on_every_rank) {
  const ModelSpec spec = model_of({scaled({4, 8}, 6, "tensor", "loaded_fp8_per_tensor")});
  const Source source = [](const Delivery& delivery) {
    Delivery wide = delivery;
    wide.dtype = DType::f32;
    const at::Tensor values = numbered(model_of({scaled({4, 8}, 6, "tensor", "none")}))(wide);
    return delivery.slot == "weight" ? values.to(to_torch(delivery.dtype)) : values;
  };
  Group one = cold_group(spec, 1, source), two = cold_group(spec, 2, source);
  for (Model* model : {one.ranks[0], two.ranks[0], two.ranks[1]}) ASSERT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor whole = tensor_at(*one.ranks[0], "x.weight").view(at::kByte);
  for (int64_t rank : {0, 1}) {
    const at::Tensor part = tensor_at(*two.ranks[static_cast<size_t>(rank)], "x.weight").view(at::kByte);
    EXPECT_TRUE(part.narrow(1, 0, 2).equal(whole.narrow(1, 2 * rank, 2)));
    EXPECT_TRUE(part.narrow(1, 2, 4).equal(whole.narrow(1, 4 + 4 * rank, 4)));
    EXPECT_TRUE(tensor_at(*two.ranks[static_cast<size_t>(rank)], "x.weight_scale").equal(tensor_at(*one.ranks[0], "x.weight_scale")));
  }
}

TEST(LoadedFp8Block, pads_with_zeros_and_leaves_whole_blocks_alone) {
  std::unique_ptr<Model> model = build_model(model_of({scaled({128}, 130, "block", "loaded_fp8_block")}), {});
  fill_loaded(tensor_at(*model, "x.weight"), every_byte(65));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor kernel = tensor_at(*model, "x.weight").view(at::kByte);
  ASSERT_EQ(kernel.sizes().vec(), (Shape{128, 256}));
  for (int64_t i = 0; i < 128; ++i)
    for (int64_t l = 0; l < 256; ++l)
      ASSERT_EQ(kernel.const_data_ptr<uint8_t>()[i * 256 + l], l < 130 ? static_cast<uint8_t>(i * 130 + l) : 0);
  std::unique_ptr<Model> whole = cold(model_of({scaled({256, 128}, 128, "block", "loaded_fp8_block")}));
  const ParameterPtr before = whole->find_tensor("x.weight");
  ASSERT_TRUE(process_model_after_loading(*whole).ok());
  EXPECT_EQ(whole->find_tensor("x.weight"), before);
}

// What a layer computes with is weight · scale before its post-load step and after it, to a step of e4m3 where it quantizes again.
class Loaded : public ::testing::TestWithParam<LayerSpec> {
 protected:
  std::vector<SlotSpec> before() const { return find_layer_kind(GetParam().kind)->slots(GetParam(), {}); }
  std::unique_ptr<Model> filled(const std::string& quant) const {
    LayerSpec spec = GetParam();
    spec.quant = quant;
    std::unique_ptr<Model> model = build_model(model_of({spec}), {});
    const at::Tensor &weight = tensor_at(*model, "x.weight"), &scale = tensor_at(*model, "x." + before()[1].name);
    for (int64_t i = 0; i < weight.numel(); ++i) static_cast<uint8_t*>(weight.data_ptr())[i] = static_cast<uint8_t>(i % 120);
    for (int64_t i = 0; i < scale.numel(); ++i) scale.data_ptr<float>()[i] = 1 + static_cast<float>(i) / 4;
    return model;
  }
};

TEST_P(Loaded, computes_the_same_as_without_a_step) {
  std::unique_ptr<Model> plain = filled("none"), ready = filled(GetParam().quant);
  ASSERT_TRUE(process_model_after_loading(*ready).ok());
  Layer &a = *plain->find("x"), &b = *ready->find("x");
  const at::Tensor input = a.kind->example_input(GetParam(), {}, 3);
  const bool again = GetParam().quant == "loaded_fp8_per_tensor";
  EXPECT_TRUE(a.kind->forward(a, input).allclose(b.kind->forward(b, input), again ? 0.1 : 0, again ? 40.0 : 0));
}

std::vector<LayerSpec> loaded_cases() {
  std::vector<LayerSpec> all;
  for (int64_t k : {1, 3, 130, 256}) {
    for (const std::vector<int64_t>& outs : {std::vector<int64_t>{1}, {7}, {2, 5, 1}, {128, 64}})
      all.push_back(scaled(outs, k, "tensor", "loaded_fp8_per_tensor"));
    for (const std::vector<int64_t>& outs : {std::vector<int64_t>{1}, {200}, {128}, {256, 128}})
      all.push_back(scaled(outs, k, "block", "loaded_fp8_block"));
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(all, Loaded, ::testing::ValuesIn(loaded_cases()), quant_step_name);
INSTANTIATE_TEST_SUITE_P(Loaded, QuantStep, ::testing::ValuesIn(loaded_cases()), quant_step_name);

TEST(LoadedChannels, stand_for_weight_times_scale) {
  for (DType dtype : {DType::e4m3, DType::i8}) {
    std::unique_ptr<Model> model = build_model(model_of({scaled({2, 1}, 4, "channel", "none", dtype)}), {});
    const std::vector<uint8_t> bytes = {1, 2, 0x83, 4, 0x45, 0xc6, 7, 8, 0x7e, 0xfe, 0x80, 0};
    fill_loaded(tensor_at(*model, "x.weight"), bytes);
    fill_loaded(tensor_at(*model, "x.weight_scale"), std::vector<float>{0.5F, 3, 0.125F});
    Layer& layer = *model->find("x");
    const at::Tensor input = layer.kind->example_input(layer.spec, {}, 3), output = layer.kind->forward(layer, input);
    for (int64_t row = 0; row < 3; ++row)
      for (int64_t i = 0; i < 3; ++i) {
        double expected = 0;
        for (int64_t l = 0; l < 4; ++l) {
          const uint8_t bits = bytes[static_cast<size_t>(i * 4 + l)];
          const double value = dtype == DType::i8 ? static_cast<double>(static_cast<int8_t>(bits)) : static_cast<double>(from_e4m3(bits));
          expected += input.const_data_ptr<float>()[row * 4 + l] * value * std::vector<double>{0.5, 3, 0.125}[static_cast<size_t>(i)];
        }
        EXPECT_NEAR(output.const_data_ptr<float>()[row * 3 + i], expected, 1e-4 * std::abs(expected) + 1e-6);
      }
  }
}

TEST(LoadedSizes, are_refused_where_they_do_not_fit) {
  const auto refusal = [](const LayerSpec& spec, int ranks = 1) { return check_model(model_of({spec}), ranks).message(); };
  EXPECT_EQ(refusal(scaled({4}, 4, "channel", "none", DType::bf16)), "x: weights are bf16, expected e4m3 or i8");
  EXPECT_EQ(refusal(scaled({128, 64}, 4, "block", "none")), "x: 64 outputs over 1 ranks do not meet at blocks of 128");
  EXPECT_EQ(refusal(scaled({128}, 4, "block", "none"), 2), "x: 128 outputs over 2 ranks do not meet at blocks of 128");
  EXPECT_EQ(refusal(scaled({4}, 4, "row", "none")), "x: scales is \"row\", expected one of tensor|channel|block");
  const std::string kinds =
      ", as scaled_column_parallel_linear, scaled_row_parallel_linear and scaled_replicated_linear have with scales: ";
  EXPECT_EQ(refusal(scaled({4}, 4, "channel", "loaded_fp8_per_tensor")),
            "x: quantization loaded_fp8_per_tensor needs a weight in e4m3 with weight_scale" + kinds + "tensor");
  EXPECT_EQ(refusal(scaled({4}, 4, "block", "loaded_fp8_block", DType::i8)),
            "x: quantization loaded_fp8_block needs a weight in e4m3 with weight_scale_inv" + kinds + "block");
  EXPECT_EQ(refusal(layer_of("scaled_replicated_linear", {{"in", 4L}, {"out", 4L}}, "x", DType::f32)),
            "x: weights are f32, expected e4m3 or i8");
}

TEST(LoadedSizes, of_rows_are_refused_where_ranks_do_not_meet) {
  const auto refusal = [](const char* kind, Values values, int ranks, DType dtype) {
    return check_model(model_of({layer_of(kind, std::move(values), "x", dtype)}), ranks).message();
  };
  const auto scaled_rows = [&](Values values, int ranks, DType dtype = DType::i8) {
    return refusal("scaled_row_parallel_linear", std::move(values), ranks, dtype);
  };
  const Values blocks{{"in", 128L}, {"out", 4L}, {"scales", std::string("block")}};
  EXPECT_EQ(scaled_rows({{"in", 4L}, {"out", 4L}}, 1, DType::f32), "x: weights are f32, expected e4m3 or i8");
  EXPECT_EQ(scaled_rows({{"in", 4L}, {"out", 4L}}, 3), "x: 4 inputs cannot be split over 3 ranks");
  EXPECT_EQ(scaled_rows(blocks, 1), "");
  EXPECT_EQ(scaled_rows(blocks, 2), "x: 128 inputs over 2 ranks do not meet at blocks of 128");
  const auto packed_rows = [&](Values values, int ranks) {
    return refusal("packed_row_parallel_linear", std::move(values), ranks, DType::bf16);
  };
  EXPECT_EQ(packed_rows({{"in", 24L}, {"out", 8L}, {"group", 8L}}, 2), "x: 12 inputs of a rank cannot be packed by 8");
  EXPECT_EQ(packed_rows({{"in", 32L}, {"out", 8L}}, 2), "x: 16 inputs of a rank are no whole groups of 32");
  EXPECT_EQ(packed_rows({{"in", 32L}, {"out", 4L}}, 1), "x: zero points of 4 outputs cannot be packed by 8");
  EXPECT_EQ(packed_rows({{"in", 32L}, {"out", 4L}, {"zero_points", false}}, 1), "");
}

}  // namespace
}  // namespace reloadlab::model
