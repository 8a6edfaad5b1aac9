// fp8_per_tensor against arithmetic written down again: the scale in single precision, and the nearest of all e4m3 values by search.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "reference/model/device.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"
#include "tests/reference/model/memory_probe.h"

namespace reloadlab::model {
namespace {

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// The value of e4m3 bits without a sign, 0..126: four exponent bits with a bias of 7, three of mantissa, no infinity.
double magnitude(int bits) {
  const int exponent = bits >> 3, mantissa = bits & 7;
  return exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
}

// The nearest of the 127 magnitudes; of two equally near ones the even.
uint8_t nearest(float value) {
  const double wanted = std::min(std::abs(static_cast<double>(value)), 448.0);
  int best = 0;
  for (int bits = 1; bits < 127; ++bits) {
    const double now = std::abs(magnitude(bits) - wanted), before = std::abs(magnitude(best) - wanted);
    if (now < before || (now == before && bits % 2 == 0)) best = bits;
  }
  return static_cast<uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

float scale_for(const std::vector<float>& values) {
  float largest = 0;
  for (float value : values) largest = std::isnan(value) ? value : std::isnan(largest) ? largest : std::max(largest, std::abs(value));
  const float scale = largest / 448.0F;
  return scale == 0 ? 1 : scale;
}

LayerSpec quantized(int64_t in, int64_t out, DType dtype, bool bias = false) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", in}, {"out", out}, {"bias", bias}}, "x", dtype);
  spec.quant = "fp8_per_tensor";
  return spec;
}

// Bytes of the processed weight and the scale, of a weight [out, in] with these bits.
struct Processed {
  std::vector<uint8_t> bytes;
  float scale;
};

Processed processed(const std::vector<uint16_t>& bits, int64_t in) {
  const auto out = static_cast<int64_t>(bits.size()) / in;
  std::unique_ptr<Model> model = build_model(model_of({quantized(in, out, DType::bf16)}), {});
  std::memcpy(tensor_at(*model, "x.weight").data_ptr(), bits.data(), bits.size() * sizeof(uint16_t));
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  const at::Tensor& weight = tensor_at(*model, "x.weight");
  EXPECT_EQ(weight.sizes().vec(), (Shape{in, out}));
  EXPECT_TRUE(weight.is_contiguous());
  const auto* first = static_cast<const uint8_t*>(weight.const_data_ptr());
  return {{first, first + bits.size()}, tensor_at(*model, "x.weight_scale").const_data_ptr<float>()[0]};
}

// Compares every byte; elements of a row of `in` lie `out` apart.
void expect_as_defined(const std::vector<uint16_t>& bits, int64_t in) {
  const Processed got = processed(bits, in);
  std::vector<float> values;
  for (uint16_t each : bits) values.push_back(from_bf16(each));
  const float scale = scale_for(values);
  ASSERT_TRUE(std::isnan(scale) ? std::isnan(got.scale) : scale == got.scale) << scale << " " << got.scale;
  const size_t columns = static_cast<size_t>(in), rows = bits.size() / columns;
  for (size_t i = 0; i < bits.size(); ++i) {
    const float divided = values[i] / scale;
    const int byte = got.bytes[i % columns * rows + i / columns];
    if (std::isnan(divided)) {
      ASSERT_EQ(byte & 0x7f, 0x7f) << values[i];
    } else {
      ASSERT_EQ(byte, nearest(divided)) << values[i] << " / " << scale;
    }
  }
}

// All bf16 values of at most this size, filled up with zeros to rows of 16.
std::vector<uint16_t> up_to(float size) {
  std::vector<uint16_t> all;
  for (int bits = 0; bits < 65536; ++bits)
    if (std::abs(from_bf16(static_cast<uint16_t>(bits))) <= size) all.push_back(static_cast<uint16_t>(bits));
  all.resize((all.size() + 15) / 16 * 16);
  return all;
}

TEST(Fp8PerTensor, every_finite_input_becomes_the_nearest_value_under_any_scale) {
  for (float size : {448.0F, 447.0F, 1.0F, 3.0F, 0.01F, 1e-30F, 1e-38F, 1e30F, std::numeric_limits<float>::max()})
    expect_as_defined(up_to(size), 16);
}

TEST(Fp8PerTensor, inputs_that_are_no_numbers_come_out_as_the_arithmetic_says) {
  expect_as_defined(up_to(std::numeric_limits<float>::infinity()), 16);
  std::vector<uint16_t> everything(65536);
  for (size_t bits = 0; bits < everything.size(); ++bits) everything[bits] = static_cast<uint16_t>(bits);
  expect_as_defined(everything, 256);
}

TEST(Fp8PerTensor, a_weight_of_zeros_has_scale_one) {
  const Processed got = processed({0, 0x8000, 0, 0}, 2);
  EXPECT_EQ(got.scale, 1.0F);
  EXPECT_EQ(got.bytes, (std::vector<uint8_t>{0, 0, 0x80, 0}));
}

class Fp8PerTensorSizes : public ::testing::TestWithParam<std::tuple<DType, int, int>> {
 protected:
  LayerSpec spec() const { return quantized(std::get<1>(GetParam()), std::get<2>(GetParam()), std::get<0>(GetParam()), true); }
  const QuantInfo& info() const { return *find_quant_method("fp8_per_tensor"); }
  std::vector<SlotSpec> before() const { return find_layer_kind(spec().kind)->slots(spec(), {}); }
};

TEST_P(Fp8PerTensorSizes, takes_exactly_the_bytes_that_it_declares) {
  std::unique_ptr<Model> model = cold(model_of({spec()}));
  MemoryProbe probe;
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(probe.peak(), info().extra_bytes(before()));
}

TEST_P(Fp8PerTensorSizes, leaves_the_slots_that_it_declares_in_their_order) {
  std::unique_ptr<Model> model = cold(model_of({spec()}));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  std::vector<std::string> names, declared;
  for_each_tensor(*model->find("x"), [&](const Slot& slot, bool) { names.push_back(slot.name); });
  for (const SlotSpec& slot : info().results(before())) {
    const at::Tensor& tensor = tensor_at(*model, "x." + slot.name);
    EXPECT_EQ(tensor.sizes().vec(), slot.shape) << slot.name;
    EXPECT_EQ(from_torch(tensor.scalar_type()), slot.dtype) << slot.name;
    declared.push_back(slot.name);
  }
  EXPECT_EQ(names, declared);
}

INSTANTIATE_TEST_SUITE_P(sizes, Fp8PerTensorSizes,
                         ::testing::Combine(::testing::Values(DType::f32, DType::bf16), ::testing::Values(1, 3, 96),
                                            ::testing::Values(1, 7, 80)));

TEST(Fp8PerTensor, runs_on_placeholders) {
  DeviceScope scope(at::kMeta);
  std::unique_ptr<Model> model = build_model(model_of({quantized(3, 5, DType::bf16)}), {});
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  EXPECT_EQ(tensor_at(*model, "x.weight").sizes().vec(), (Shape{3, 5}));
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
