// Every symmetric method against arithmetic written down again, element by element, without LibTorch.
#include <ATen/TensorOperators.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

// Every method by name: its boxes, its result, and where its scale stands.
struct ScaledMethod {
  std::string id;
  int64_t box_rows, box_columns;  // 0: all
  bool integers, transposed;
  std::string scale;
};
void PrintTo(const ScaledMethod& method, std::ostream* out) { *out << method.id; }
const ScaledMethod scaled_methods[] = {{"fp8_per_tensor", 0, 0, false, true, "weight_scale"},
                                       {"fp8_per_channel", 1, 0, false, false, "weight_scale"},
                                       {"fp8_block", 128, 128, false, false, "weight_scale_inv"},
                                       {"int8_per_channel", 1, 0, true, false, "weight_scale"}};

uint8_t to_int8(float value) {
  if (std::isnan(value)) return 0;
  return static_cast<uint8_t>(static_cast<int8_t>(std::nearbyint(std::min(std::max(value, -127.0F), 127.0F))));
}

struct Weight {
  int64_t n, k;
  std::vector<uint16_t> bits;
  float at(int64_t row, int64_t column) const { return from_bf16(bits[static_cast<size_t>(row * k + column)]); }
};

class Expected {
 public:
  Expected(const ScaledMethod& method, const Weight& weight) : method_(method), weight_(weight) {}

  float scale(int64_t row, int64_t column) const {
    const auto [top, bottom] = range(row, method_.box_rows, weight_.n);
    const auto [left, right] = range(column, method_.box_columns, weight_.k);
    float largest = 0;
    for (int64_t i = top; i < bottom; ++i)
      for (int64_t j = left; j < right; ++j) {
        const float size = std::abs(weight_.at(i, j));
        largest = std::isnan(size) || std::isnan(largest) ? NAN : std::max(largest, size);
      }
    const float value = largest / (method_.integers ? 127.0F : 448.0F);
    return value == 0 ? 1 : value;
  }

  uint8_t byte(int64_t row, int64_t column, float scale) const {
    const float divided = weight_.at(row, column) / scale;
    return method_.integers ? to_int8(divided) : kernel_e4m3(divided);
  }

 private:
  static std::pair<int64_t, int64_t> range(int64_t at, int64_t box, int64_t size) {
    if (box == 0) return {0, size};
    return {at / box * box, std::min(size, at / box * box + box)};
  }
  const ScaledMethod& method_;
  const Weight& weight_;
};

LayerSpec scaled_quantized(const ScaledMethod& method, int64_t n, int64_t k, DType dtype = DType::bf16) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", k}, {"out", n}, {"bias", true}}, "x", dtype);
  spec.quant = method.id;
  return spec;
}

std::unique_ptr<Model> processed(const ScaledMethod& method, const Weight& weight) {
  std::unique_ptr<Model> model = build_model(model_of({scaled_quantized(method, weight.n, weight.k)}), {});
  std::memcpy(tensor_at(*model, "x.weight").data_ptr(), weight.bits.data(), weight.bits.size() * sizeof(uint16_t));
  tensor_at(*model, "x.bias").zero_();
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  return model;
}

void expect_as_defined_scaled(const ScaledMethod& method, const Weight& weight) {
  const std::unique_ptr<Model> model = processed(method, weight);
  const at::Tensor bytes = tensor_at(*model, "x.weight").view(at::kByte), scales = tensor_at(*model, "x." + method.scale);
  const at::Tensor kernel = method.transposed ? bytes.t() : bytes;
  const Expected expected(method, weight);
  const int64_t across = scales.dim() == 2 ? scales.size(1) : 1;
  const auto* scale_data = scales.const_data_ptr<float>();
  std::map<int64_t, float> known;
  for (int64_t i = 0; i < weight.n; ++i) {
    for (int64_t j = 0; j < weight.k; ++j) {
      const int64_t down_at = method.box_rows ? i / method.box_rows : 0, across_at = method.box_columns ? j / method.box_columns : 0;
      const int64_t box = down_at * across + across_at;
      if (!known.contains(box)) known[box] = expected.scale(i, j);
      ASSERT_TRUE(same_bits(scale_data[box], known[box])) << method.id << " scale of " << i << ", " << j << ": " << scale_data[box];
      const uint8_t got = kernel.const_data_ptr<uint8_t>()[i * kernel.stride(0) + j * kernel.stride(1)];
      ASSERT_EQ(got, expected.byte(i, j, known[box])) << method.id << " of " << weight.at(i, j) << " / " << known[box];
    }
  }
}

// Every bf16 there is, in the order of their bits or scattered, so that rows hold large and small ones.
Weight everything(int64_t k, bool scattered) {
  Weight weight{65536 / k, k, std::vector<uint16_t>(65536)};
  for (size_t i = 0; i < 65536; ++i) weight.bits[i] = static_cast<uint16_t>(scattered ? i * 40503 : i);
  return weight;
}

// Those of at most this size; what is larger is halved in exponent.
Weight up_to(float size, int64_t k) {
  Weight weight = everything(k, true);
  for (uint16_t& bits : weight.bits)
    if (!(std::abs(from_bf16(bits)) <= size)) bits = static_cast<uint16_t>(bits & 0x807f);
  return weight;
}

class ScaledMethods : public ::testing::TestWithParam<ScaledMethod> {};

TEST_P(ScaledMethods, every_input_comes_out_as_defined) {
  expect_as_defined_scaled(GetParam(), everything(256, false));
  for (float size : {1.0F, 3.0F, 447.0F, 448.0F, 0.01F, 1e-30F, 1e-38F, 1e30F, std::numeric_limits<float>::max()})
    expect_as_defined_scaled(GetParam(), up_to(size, 256));
}

TEST_P(ScaledMethods, boxes_at_the_edges_are_padded_with_zeros_that_change_no_scale) {
  Weight weight{130, 150, {}};
  for (int64_t i = 0; i < weight.n * weight.k; ++i) weight.bits.push_back(static_cast<uint16_t>(0x3f00 + i % 251));
  expect_as_defined_scaled(GetParam(), weight);
  const at::Tensor kernel = tensor_at(*processed(GetParam(), weight), "x.weight");
  if (GetParam().box_columns == 0) return;
  EXPECT_EQ(kernel.sizes().vec(), (Shape{256, 256}));
  EXPECT_FALSE(kernel.view(at::kByte).narrow(0, 130, 126).any().item<bool>());
  EXPECT_FALSE(kernel.view(at::kByte).narrow(1, 150, 106).any().item<bool>());
}

TEST_P(ScaledMethods, zeros_have_scale_one) {
  const std::unique_ptr<Model> model = processed(GetParam(), {3, 4, std::vector<uint16_t>(12)});
  EXPECT_TRUE((tensor_at(*model, "x." + GetParam().scale) == 1).all().item<bool>());
  EXPECT_FALSE(tensor_at(*model, "x.weight").view(at::kByte).any().item<bool>());
}

TEST_P(ScaledMethods, forwards_compute_with_the_values_that_the_bytes_stand_for) {
  Weight weight{130, 150, {}};
  for (int64_t i = 0; i < weight.n * weight.k; ++i) weight.bits.push_back(static_cast<uint16_t>(0x3f00 + i % 97));
  const std::unique_ptr<Model> model = processed(GetParam(), weight);
  const at::Tensor value = logical(*model->find("x"), "weight").contiguous();
  ASSERT_EQ(value.sizes().vec(), (Shape{130, 150}));
  const double most = GetParam().integers ? 1.0 / 127 : 1.0 / 8;  // of the largest in the box
  for (int64_t i = 0; i < value.numel(); ++i) ASSERT_NEAR(value.const_data_ptr<float>()[i], weight.at(i / 150, i % 150), most * 1.0) << i;
}

INSTANTIATE_TEST_SUITE_P(all, ScaledMethods, ::testing::ValuesIn(scaled_methods), [](const auto& each) { return each.param.id; });
std::vector<LayerSpec> scaled_sizes() {
  std::vector<LayerSpec> all;
  for (const ScaledMethod& method : scaled_methods)
    for (DType dtype : {DType::f32, DType::bf16})
      for (int64_t n : {1, 7, 200})
        for (int64_t k : {1, 3, 300}) all.push_back(scaled_quantized(method, n, k, dtype));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Scaled, QuantStep, ::testing::ValuesIn(scaled_sizes()), quant_step_name);

TEST(ScaledTies, each_end_makes_its_own_from_the_shared_weight) {
  LayerSpec first = scaled_quantized(scaled_methods[1], 6, 4), second = first;
  first.name = "a", second.name = "b";
  second.tied_to = "a.weight";
  std::unique_ptr<Model> model = cold(model_of({first, second}));
  EXPECT_EQ(model->find_tensor("a.weight"), model->find_tensor("b.weight"));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_NE(model->find_tensor("a.weight"), model->find_tensor("b.weight"));
  EXPECT_TRUE(tensor_at(*model, "a.weight").view(at::kByte).equal(tensor_at(*model, "b.weight").view(at::kByte)));
}

TEST(Fp8PerTensor, only_the_bias_can_be_read_from_the_kernel) {
  const QuantInfo& info = *find_quant_method("fp8_per_tensor");
  EXPECT_TRUE(info.permutes("bias"));
  EXPECT_FALSE(info.permutes("weight"));
  EXPECT_FALSE(info.permutes("weight_scale"));
}

TEST(Fp8PerTensor, says_what_it_needs) {
  const QuantInfo& info = *find_quant_method("fp8_per_tensor");
  const auto message = [&](std::vector<SlotSpec> slots) { return info.check(slots).message(); };
  const SlotSpec weight{.name = "weight", .shape = {2, 2}, .dtype = DType::bf16};
  SlotSpec other = weight;
  EXPECT_EQ(message({weight}), "");
  EXPECT_EQ(message({}), "quantization fp8_per_tensor needs a tensor called weight");
  other.dtype = DType::i8;
  EXPECT_EQ(message({other}), "quantization fp8_per_tensor needs a weight in f32 or bf16");
  other = weight, other.shape = {4};
  EXPECT_EQ(message({other}), "quantization fp8_per_tensor needs a dense weight of two dimensions");
  other = weight, other.alias_of = "y.weight";
  EXPECT_EQ(message({other}),
            "quantization fp8_per_tensor cannot replace tensors that are views, or tied to a layer of another quantization");
  other = weight, other.name = "weight_scale";
  EXPECT_EQ(message({weight, other}), "quantization fp8_per_tensor makes a tensor called weight_scale, and the layer has one");
}

}  // namespace
}  // namespace reloadlab::model
