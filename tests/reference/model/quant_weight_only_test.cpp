// Weight-only methods against their formulas written down again, one number at a time and without LibTorch, with a rounding to the weight's
// element type wherever they round.
#include <bit>
#include <cmath>
#include <cstring>

#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/formats.h"
#include "tests/reference/model/quant_step.h"

namespace reloadlab::model {
namespace {

struct WeightOnlyMethod {
  std::string id;
  int bits;
  int64_t group;  // 0: the row
  int64_t group_of(int64_t k) const { return group > 0 ? group : k; }
};
void PrintTo(const WeightOnlyMethod& method, std::ostream* out) { *out << method.id; }
const WeightOnlyMethod weight_only_methods[] = {{"int8_weight_only", 8, 0},
                                                {"int8_weight_only_g32", 8, 32},
                                                {"int4_weight_only_g32", 4, 32},
                                                {"int4_weight_only_g64", 4, 64},
                                                {"int4_weight_only_g128", 4, 128}};

struct WeightOnlyWeight {
  int64_t n, k;
  DType dtype;
  std::vector<float> values;
  float at(int64_t row, int64_t column) const { return values[static_cast<size_t>(row * k + column)]; }
  float rounded(float value) const { return dtype == DType::bf16 ? to_bf16(value) : value; }
};

// What a group becomes: its scale, its zero (of 4 bits only) and a code for any number in it.
struct Group {
  float scale, zero, least, inverse;
};

float at_least(float least, float value) { return value < least ? least : value; }  // what is no number stays so

Group group_of(const WeightOnlyWeight& weight, const WeightOnlyMethod& method, int64_t row, int64_t first) {
  float low = weight.at(row, first), high = low;
  for (int64_t l = first; l < first + method.group_of(weight.k); ++l) {
    const float value = weight.at(row, l);
    low = std::isnan(value) || std::isnan(low) ? NAN : std::min(low, value);
    high = std::isnan(value) || std::isnan(high) ? NAN : std::max(high, value);
  }
  const auto r = [&](float value) { return weight.rounded(value); };
  if (method.bits == 8) {
    const float scale = at_least(0x1p-23F, r((std::isnan(low) ? NAN : std::max(-low, high)) / 127.5F));
    return {scale, 0, 0, r(1 / scale)};
  }
  const float scale = at_least(r(1e-6F), r(r(high - low) / 15));
  const float zero = r(low + r(scale * 8));
  return {scale, zero, r(zero - r(scale * 8)), 0};
}

int code_of(const WeightOnlyWeight& weight, const WeightOnlyMethod& method, const Group& group, float value) {
  const auto r = [&](float exact) { return weight.rounded(exact); };
  const float found = method.bits == 8 ? r(value * group.inverse) : r(r(value - group.least) / group.scale);
  if (std::isnan(found)) return 0;
  const float low = method.bits == 8 ? -128 : 0, high = method.bits == 8 ? 127 : 15;
  return static_cast<int>(std::min(std::max(std::nearbyint(found), low), high));
}

LayerSpec weight_only_quantized(const WeightOnlyMethod& method, int64_t n, int64_t k, DType dtype) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", k}, {"out", n}, {"bias", true}}, "x", dtype);
  spec.quant = method.id;
  return spec;
}

std::unique_ptr<Model> weight_only_processed(const WeightOnlyMethod& method, const WeightOnlyWeight& weight) {
  std::unique_ptr<Model> model = build_model(model_of({weight_only_quantized(method, weight.n, weight.k, weight.dtype)}), {});
  const at::Tensor& to = tensor_at(*model, "x.weight");
  for (int64_t i = 0; i < to.numel(); ++i) {
    const float value = weight.values[static_cast<size_t>(i)];
    const auto upper = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
    if (weight.dtype == DType::bf16)
      std::memcpy(static_cast<uint16_t*>(to.data_ptr()) + i, &upper, sizeof upper);
    else
      std::memcpy(static_cast<float*>(to.data_ptr()) + i, &value, sizeof value);
  }
  tensor_at(*model, "x.bias").zero_();
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  return model;
}

// Where the code of an element stands: the byte, and by how many bits it is shifted there.
std::pair<int64_t, int> place_of(const WeightOnlyMethod& method, const WeightOnlyWeight& weight, int64_t row, int64_t column) {
  if (method.bits == 8) return {row * weight.k + column, 0};
  const int64_t block = row / 32, rows = std::min<int64_t>(32, weight.n - block * 32), within = row % 32;
  return {block * 32 * weight.k / 2 + column * rows / 2 + within / 2, within % 2 == 0 ? 0 : 4};
}

bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : a == b; }

void expect_as_defined_weight_only(const WeightOnlyMethod& method, const WeightOnlyWeight& weight) {
  const std::unique_ptr<Model> model = weight_only_processed(method, weight);
  const at::Tensor bytes = tensor_at(*model, "x.weight").view(at::kByte);
  const auto* data = bytes.const_data_ptr<uint8_t>();
  const int64_t g = method.group_of(weight.k), groups = weight.k / g;
  const std::string name = method.bits == 8 ? "x.weight_scale" : "x.weight_scale_and_zero";
  const std::vector<double> scales = values_of(tensor_at(*model, name));
  for (int64_t i = 0; i < weight.n; ++i)
    for (int64_t j = 0; j < groups; ++j) {
      const Group group = group_of(weight, method, i, j * g);
      const auto at = static_cast<size_t>(method.bits == 8 ? i * groups + j : (j * weight.n + i) * 2);
      ASSERT_TRUE(same(static_cast<float>(scales[at]), group.scale)) << i << ", " << j << ": " << scales[at] << " for " << group.scale;
      if (method.bits == 4) {
        ASSERT_TRUE(same(static_cast<float>(scales[at + 1]), group.zero)) << i << ", " << j << ": " << scales[at + 1];
      }
      for (int64_t l = j * g; l < (j + 1) * g; ++l) {
        const auto [byte, shift] = place_of(method, weight, i, l);
        const int mask = method.bits == 8 ? 0xff : 0xf, got = data[byte] >> shift & mask;
        ASSERT_EQ(got, code_of(weight, method, group, weight.at(i, l)) & mask) << i << ", " << l << ": " << weight.at(i, l);
      }
    }
}

// Every bf16 there is, in the order of their bits or scattered, so that groups hold large and small ones; and as many of f32.
WeightOnlyWeight weight_only_everything(DType dtype, bool scattered) {
  WeightOnlyWeight weight{256, 256, dtype, std::vector<float>(65536)};
  for (uint32_t i = 0; i < 65536; ++i) {
    const uint32_t bits = scattered ? i * 40503 & 0xffff : i;
    weight.values[i] = std::bit_cast<float>(bits << 16 | (dtype == DType::f32 ? i * 2654435761U >> 16 : 0));
  }
  return weight;
}

// Those of at most this size; what is larger, or no number, gets the smallest exponent.
WeightOnlyWeight weight_only_up_to(float size, DType dtype) {
  WeightOnlyWeight weight = weight_only_everything(dtype, true);
  for (float& value : weight.values)
    if (!(std::abs(value) <= size)) value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0x807fffff);
  return weight;
}

class WeightOnly : public ::testing::TestWithParam<std::tuple<WeightOnlyMethod, DType>> {
 protected:
  const WeightOnlyMethod& method() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

TEST_P(WeightOnly, every_input_comes_out_as_defined) {
  expect_as_defined_weight_only(method(), weight_only_everything(dtype(), false));
  for (float size : {1.0F, 3.0F, 448.0F, 0.01F, 1e-5F, 1e-38F, 1e30F, 3e38F})
    expect_as_defined_weight_only(method(), weight_only_up_to(size, dtype()));
}

TEST_P(WeightOnly, a_last_block_of_fewer_rows_is_one_of_its_own) {
  for (int64_t n : {16, 48}) {
    WeightOnlyWeight weight{n, 128, dtype(), {}};
    for (int64_t i = 0; i < n * 128; ++i) weight.values.push_back(to_bf16(static_cast<float>(i * 37 % 1009) / 64));
    expect_as_defined_weight_only(method(), weight);
  }
}

TEST_P(WeightOnly, forwards_compute_with_the_values_that_the_bytes_stand_for) {
  WeightOnlyWeight weight{48, 128, dtype(), {}};
  for (int64_t i = 0; i < weight.n * weight.k; ++i) weight.values.push_back(to_bf16(static_cast<float>(i % 97) / 97 - 0.25F));
  const std::unique_ptr<Model> model = weight_only_processed(method(), weight);
  const at::Tensor value = logical(*model->find("x"), "weight");
  ASSERT_EQ(value.sizes().vec(), (Shape{48, 128}));
  const double most = (dtype() == DType::bf16 ? 2.2 : 1.1) / (method().bits == 8 ? 255 : 30);  // products are rounded as well
  for (int64_t i = 0; i < value.numel(); ++i)
    ASSERT_NEAR(value.const_data_ptr<float>()[i], weight.values[static_cast<size_t>(i)], most) << i;
}

INSTANTIATE_TEST_SUITE_P(all, WeightOnly,
                         ::testing::Combine(::testing::ValuesIn(weight_only_methods), ::testing::Values(DType::f32, DType::bf16)));

std::vector<LayerSpec> weight_only_sizes() {
  std::vector<LayerSpec> all;
  for (const WeightOnlyMethod& method : weight_only_methods)
    for (DType dtype : {DType::f32, DType::bf16})
      for (int64_t n : {1, 7, 16, 48, 160})
        for (int64_t k : {1, 3, 32, 64, 96, 384})
          if (const LayerSpec spec = weight_only_quantized(method, n, k, dtype); check_model(model_of({spec}), 1).ok()) all.push_back(spec);
  return all;
}

INSTANTIATE_TEST_SUITE_P(WeightOnly, QuantStep, ::testing::ValuesIn(weight_only_sizes()), quant_step_name);

TEST(WeightOnlySizes, are_refused_where_groups_or_blocks_do_not_divide) {
  const auto refusal = [](const WeightOnlyMethod& method, int64_t n, int64_t k, DType dtype) {
    return check_model(model_of({weight_only_quantized(method, n, k, dtype)}), 1).message();
  };
  EXPECT_EQ(refusal(weight_only_methods[1], 16, 40, DType::bf16),
            "x: quantization int8_weight_only_g32 needs groups of 32 inputs, and the weight has 40");
  EXPECT_EQ(refusal(weight_only_methods[4], 16, 64, DType::bf16),
            "x: quantization int4_weight_only_g128 needs groups of 128 inputs, and the weight has 64");
  EXPECT_EQ(refusal(weight_only_methods[2], 24, 64, DType::bf16),
            "x: quantization int4_weight_only_g32 needs a multiple of 16 outputs on each rank, and the weight has 24");
  EXPECT_EQ(refusal(weight_only_methods[0], 16, 64, DType::i8), "x: quantization int8_weight_only needs a weight in f32 or bf16");
}

// As where one end of a tie was quantized, and comes again: half of the inputs, and here no group.
TEST(WeightOnlySizes, are_refused_of_what_is_packed_already) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", 128L}, {"out", 16L}}, "x");
  spec.quant = "int4_weight_only_g128";
  std::unique_ptr<Model> model = cold(model_of({spec}));
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(process_model_after_loading(*model).code(), Code::failed);
}

TEST(WeightOnlyTies, each_end_makes_its_own_from_the_shared_weight) {
  for (const WeightOnlyMethod& method : weight_only_methods) {
    LayerSpec first = weight_only_quantized(method, 16, 128, DType::bf16), second = first;
    first.name = "a", second.name = "b";
    second.tied_to = "a.weight";
    std::unique_ptr<Model> model = cold(model_of({first, second}));
    ASSERT_TRUE(process_model_after_loading(*model).ok());
    EXPECT_NE(model->find_tensor("a.weight"), model->find_tensor("b.weight")) << method.id;
    EXPECT_TRUE(tensor_at(*model, "a.weight").equal(tensor_at(*model, "b.weight"))) << method.id;
  }
}

}  // namespace
}  // namespace reloadlab::model
