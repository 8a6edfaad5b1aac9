// Quantization methods against outside implementations: tests/oracles/golden holds what those made of weights that a formula gives, and
// says with which versions. tests/oracles/check makes the files anew.
#include <ATen/ops/from_blob.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

using Json = nlohmann::json;

Json golden(const std::string& name) {
  std::ifstream file(RELOADLAB_SOURCE_DIR "/tests/oracles/golden/" + name);
  EXPECT_TRUE(file) << name;
  return Json::parse(file);
}

// The same formula as weight() of tests/oracles/golden.py has.
std::vector<float> weight_values(int64_t rows, int64_t columns, int64_t seed) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * columns; ++i) {
    const int64_t row = i / columns, kind = row % 16, bits = static_cast<uint32_t>((i + seed) * 2654435761) >> 8;
    const float range = kind == 3 ? 0.0F : kind == 5 ? 0x1p-40F : std::ldexp(1.0F, static_cast<int>(-(row % 9)));
    const float value = static_cast<float>(bits - (1 << 23)) * 0x1p-22F * range;
    values.push_back(kind == 7 ? std::abs(value) : value);
  }
  return values;
}

std::string hex_of(const at::Tensor& tensor) {
  constexpr std::string_view digits = "0123456789abcdef";
  const at::Tensor dense = tensor.contiguous();
  const auto* bytes = static_cast<const uint8_t*>(dense.const_data_ptr());
  std::string text;
  for (size_t i = 0; i < dense.nbytes(); ++i) text.append({digits[bytes[i] >> 4], digits[bytes[i] & 15]});
  return text;
}

struct Case {
  Json json;
  int64_t number(const char* key) const { return json[key].get<int64_t>(); }
  std::string text(const char* key) const { return json[key].get<std::string>(); }
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.text("method") << " " << each.text("dtype"); }

std::vector<Case> cases_of(const std::string& name) {
  const Json file = golden(name);
  std::vector<Case> all;
  for (const Json& json : file["cases"]) all.emplace_back(json);
  return all;
}

void expect_equal(const Model& model, const Json& tensors) {
  for (const auto& [name, expected] : tensors.items()) {
    const at::Tensor& tensor = tensor_at(model, "x." + name);
    EXPECT_EQ(tensor.sizes().vec(), expected["shape"].get<Shape>()) << name;
    EXPECT_EQ(dtype_name(from_torch(tensor.scalar_type())), expected["dtype"].get<std::string>()) << name;
    EXPECT_EQ(hex_of(tensor), expected["hex"].get<std::string>()) << name;
  }
}

class Golden : public ::testing::TestWithParam<Case> {};

TEST_P(Golden, weights_quantized_online_are_those_of_the_outside_implementation) {
  const Case& each = GetParam();
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", each.number("columns")}, {"out", each.number("rows")}}, "x",
                            *dtype_from_name(each.text("dtype")));
  spec.quant = each.text("method");
  ASSERT_TRUE(check_model(model_of({spec}), 1).ok()) << check_model(model_of({spec}), 1).message();
  std::unique_ptr<Model> model = build_model(model_of({spec}), {});
  std::vector<float> values = weight_values(each.number("rows"), each.number("columns"), each.number("seed"));
  tensor_at(*model, "x.weight").copy_(at::from_blob(values.data(), {each.number("rows"), each.number("columns")}, at::kFloat));
  ASSERT_TRUE(process_model_after_loading(*model).ok());
  expect_equal(*model, each.json["tensors"]);
}

INSTANTIATE_TEST_SUITE_P(torchao, Golden, ::testing::ValuesIn(cases_of("torchao.json")));

}  // namespace
}  // namespace reloadlab::model
