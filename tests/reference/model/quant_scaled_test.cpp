// Every symmetric method against arithmetic written down again, element by element, without LibTorch.
#include <bit>
#include <cmath>
#include <cstring>

#include "reference/model/device.h"
#include "reference/model/kinds/compute.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {
namespace {

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// Every method by name: its boxes, its result, and where its scale stands.
struct Method {
  std::string id;
  int64_t box_rows, box_columns;  // 0: all
  bool integers, transposed;
  std::string scale;
};
void PrintTo(const Method& method, std::ostream* out) { *out << method.id; }
const Method methods[] = {{"fp8_per_tensor", 0, 0, false, true, "weight_scale"},
                          {"fp8_per_channel", 1, 0, false, false, "weight_scale"},
                          {"fp8_block", 128, 128, false, false, "weight_scale_inv"},
                          {"int8_per_channel", 1, 0, true, false, "weight_scale"}};

// e4m3 by the definition of the format: four exponent bits with a bias of 7, three of mantissa, no infinity, NaN is all ones.
uint8_t to_e4m3(float value) {
  const int sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return static_cast<uint8_t>(sign | 0x7f);
  const double size = std::min(std::abs(static_cast<double>(value)), 448.0);
  if (size == 0) return static_cast<uint8_t>(sign);
  int exponent = 0;
  std::frexp(size, &exponent);
  const double step = std::ldexp(1, std::max(exponent - 1, -6) - 3);
  const auto steps = static_cast<int>(std::nearbyint(size / step));  // ties to even
  const int bits = exponent - 1 < -6 ? steps : (exponent + 6) * 8 + steps - 8;
  return static_cast<uint8_t>(sign | bits);
}

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
  Expected(const Method& method, const Weight& weight) : method_(method), weight_(weight) {}

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
    return method_.integers ? to_int8(divided) : to_e4m3(divided);
  }

 private:
  static std::pair<int64_t, int64_t> range(int64_t at, int64_t box, int64_t size) {
    if (box == 0) return {0, size};
    return {at / box * box, std::min(size, at / box * box + box)};
  }
  const Method& method_;
  const Weight& weight_;
};

LayerSpec quantized(const Method& method, int64_t n, int64_t k, DType dtype = DType::bf16) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", k}, {"out", n}, {"bias", true}}, "x", dtype);
  spec.quant = method.id;
  return spec;
}

std::unique_ptr<Model> processed(const Method& method, const Weight& weight) {
  std::unique_ptr<Model> model = build_model(model_of({quantized(method, weight.n, weight.k)}), {});
  std::memcpy(tensor_at(*model, "x.weight").data_ptr(), weight.bits.data(), weight.bits.size() * sizeof(uint16_t));
  tensor_at(*model, "x.bias").zero_();
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  return model;
}

bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : a == b; }

void expect_as_defined(const Method& method, const Weight& weight) {
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
      ASSERT_TRUE(same(scale_data[box], known[box])) << method.id << " scale of " << i << ", " << j << ": " << scale_data[box];
      const uint8_t got = kernel.const_data_ptr<uint8_t>()[i * kernel.stride(0) + j * kernel.stride(1)];
      uint8_t wanted = expected.byte(i, j, known[box]);
      if (!method.integers && (wanted & 0x7f) == 0x7f) wanted = (got & 0x7f) == 0x7f ? got : wanted;  // NaN has no sign to keep
      ASSERT_EQ(got, wanted) << method.id << " of " << weight.at(i, j) << " / " << known[box];
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

class ScaledMethods : public ::testing::TestWithParam<Method> {};

TEST_P(ScaledMethods, every_input_comes_out_as_defined) {
  expect_as_defined(GetParam(), everything(256, false));
  for (float size : {1.0F, 3.0F, 448.0F, 0.01F, 1e-38F, 1e30F}) expect_as_defined(GetParam(), up_to(size, 256));
}

TEST_P(ScaledMethods, boxes_at_the_edges_are_padded_with_zeros_that_change_no_scale) {
  Weight weight{130, 150, {}};
  for (int64_t i = 0; i < weight.n * weight.k; ++i) weight.bits.push_back(static_cast<uint16_t>(0x3f00 + i % 251));
  expect_as_defined(GetParam(), weight);
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

class ScaledSizes : public ::testing::TestWithParam<std::tuple<Method, DType, int, int>> {
 protected:
  LayerSpec spec() const {
    return quantized(std::get<0>(GetParam()), std::get<2>(GetParam()), std::get<3>(GetParam()), std::get<1>(GetParam()));
  }
  const QuantInfo& info() const { return *find_quant_method(spec().quant); }
  std::vector<SlotSpec> before() const { return find_layer_kind(spec().kind)->slots(spec(), {}); }
};

TEST_P(ScaledSizes, take_exactly_the_bytes_that_they_declare) {
  std::unique_ptr<Model> model = cold(model_of({spec()}));
  MemoryProbe probe;
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(probe.peak(), info().extra_bytes(before()));
}

TEST_P(ScaledSizes, leave_the_slots_that_they_declare_in_their_order) {
  std::unique_ptr<Model> model = cold(model_of({spec()}));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  std::vector<std::string> names, declared;
  for_each_tensor(*model->find("x"), [&](const Slot& slot, bool) { names.push_back(slot.name); });
  for (const SlotSpec& slot : info().results(before())) {
    EXPECT_EQ(tensor_at(*model, "x." + slot.name).sizes().vec(), slot.shape) << slot.name;
    EXPECT_EQ(from_torch(tensor_at(*model, "x." + slot.name).scalar_type()), slot.dtype) << slot.name;
    declared.push_back(slot.name);
  }
  EXPECT_EQ(names, declared);
}

TEST_P(ScaledSizes, run_on_placeholders) {
  DeviceScope scope(at::kMeta);
  std::unique_ptr<Model> model = build_model(model_of({spec()}), {});
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_TRUE(tensor_at(*model, "x.weight").is_meta());
}

INSTANTIATE_TEST_SUITE_P(all, ScaledMethods, ::testing::ValuesIn(methods), [](const auto& each) { return each.param.id; });
INSTANTIATE_TEST_SUITE_P(all, ScaledSizes,
                         ::testing::Combine(::testing::ValuesIn(methods), ::testing::Values(DType::f32, DType::bf16),
                                            ::testing::Values(1, 7, 200), ::testing::Values(1, 3, 300)));

TEST(ScaledTies, each_end_makes_its_own_from_the_shared_weight) {
  LayerSpec first = quantized(methods[1], 6, 4), second = first;
  first.name = "a", second.name = "b";
  second.tied_to = "a.weight";
  std::unique_ptr<Model> model = cold(model_of({first, second}));
  EXPECT_EQ(model->find_tensor("a.weight"), model->find_tensor("b.weight"));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_NE(model->find_tensor("a.weight"), model->find_tensor("b.weight"));
  EXPECT_TRUE(tensor_at(*model, "a.weight").view(at::kByte).equal(tensor_at(*model, "b.weight").view(at::kByte)));
}

}  // namespace
}  // namespace reloadlab::model
