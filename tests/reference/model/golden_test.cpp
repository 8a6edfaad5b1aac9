// Quantization methods against outside implementations: tests/oracles/golden holds what those made of weights that a formula gives, and
// says with which versions. tests/oracles/check makes the files anew.
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reference/model/post_load.h"
#include "reference/model/quant/packed.h"
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

at::Tensor tensor_of(const Json& json) {
  const std::string hex = json["hex"].get<std::string>();
  at::Tensor tensor = at::empty(json["shape"].get<Shape>(), to_torch(*dtype_from_name(json["dtype"].get<std::string>())));
  auto* bytes = static_cast<uint8_t*>(tensor.data_ptr());
  for (size_t i = 0; i < tensor.nbytes(); ++i) bytes[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return tensor;
}

// FNV-1a.
std::string digest_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  uint64_t number = 0xcbf29ce484222325;
  for (size_t i = 0; i < dense.nbytes(); ++i) number = (number ^ static_cast<const uint8_t*>(dense.const_data_ptr())[i]) * 0x100000001b3;
  return fmt::format("{:016x}", number);
}

struct Case {
  Json json;
  int64_t number(const char* key) const { return json[key].get<int64_t>(); }
  std::string text(const char* key) const { return json[key].get<std::string>(); }
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.text("method") << " " << each.text("dtype"); }

// Those of the methods whose names begin so.
std::vector<Case> cases_of(const std::string& name, const std::string& methods = "") {
  const Json file = golden(name);
  std::vector<Case> all;
  for (const Json& json : file["cases"]) all.push_back(Case{json});
  std::erase_if(all, [&](const Case& each) { return !each.text("method").starts_with(methods); });
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

// The case's weight, quantized by its method.
std::unique_ptr<Model> online(const Case& each) {
  LayerSpec spec = layer_of("column_parallel_linear", {{"in", each.number("columns")}, {"out", each.number("rows")}}, "x",
                            *dtype_from_name(each.text("dtype")));
  spec.quant = each.text("method");
  EXPECT_TRUE(check_model(model_of({spec}), 1).ok()) << check_model(model_of({spec}), 1).message();
  std::unique_ptr<Model> model = build_model(model_of({spec}), {});
  std::vector<float> values = weight_values(each.number("rows"), each.number("columns"), each.number("seed"));
  tensor_at(*model, "x.weight").copy_(at::from_blob(values.data(), {each.number("rows"), each.number("columns")}, at::kFloat));
  EXPECT_TRUE(process_model_after_loading(*model).ok());
  return model;
}

class Online : public ::testing::TestWithParam<Case> {};

TEST_P(Online, makes_the_same_bytes) {
  const std::unique_ptr<Model> model = online(GetParam());
  expect_equal(*model, GetParam().json["tensors"]);
  for (const auto& [name, expected] : GetParam().json["digests"].items()) {
    EXPECT_EQ(tensor_at(*model, "x." + name).sizes().vec(), expected["shape"].get<Shape>()) << name;
    EXPECT_EQ(digest_of(tensor_at(*model, "x." + name)), expected["fnv1a"].get<std::string>()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(torchao, Online, ::testing::ValuesIn(cases_of("torchao.json")));
INSTANTIATE_TEST_SUITE_P(compressed_tensors_floats, Online, ::testing::ValuesIn(cases_of("compressed_tensors.json", "fp8")));
INSTANTIATE_TEST_SUITE_P(compressed_tensors_integers, Online, ::testing::ValuesIn(cases_of("compressed_tensors.json", "int8")));

// A layer that loaded the case's tensors as a checkpoint would bring them.
std::unique_ptr<Model> loaded(const Case& each, const std::string& quant) {
  const Json& tensors = each.json["tensors"];
  const int64_t groups = tensors["weight_scale"]["shape"][1].get<int64_t>(), k = each.number("columns");
  LayerSpec spec = layer_of("packed_column_parallel_linear",
                            {{"in", k},
                             {"outs", std::vector<int64_t>{each.number("rows")}},
                             {"group", k / groups},
                             {"zero_points", tensors.contains("weight_zero_point")}},
                            "x", *dtype_from_name(each.text("dtype")));
  spec.quant = quant;
  return cold(model_of({spec}), {}, [&](const Delivery& delivery) { return tensor_of(tensors[delivery.slot]); });
}

class CompressedTensors : public ::testing::TestWithParam<Case> {};

TEST_P(CompressedTensors, unpack_to_the_same_values_before_and_after_tiling) {
  const at::ScalarType type = to_torch(*dtype_from_name(GetParam().text("dtype")));
  const std::string expected = GetParam().json["digests"]["weight"]["fnv1a"].get<std::string>();
  const std::unique_ptr<Model> plain = loaded(GetParam(), "none"), tiled = loaded(GetParam(), "wna16");
  const ParameterPtr zeros = plain->find_tensor("x.weight_zero_point");
  EXPECT_EQ(expected, digest_of(dequantized(unpacked_columns(tensor_at(*plain, "x.weight_packed")), tensor_at(*plain, "x.weight_scale"),
                                            zeros ? unpacked_rows(zeros->tensor) : at::Tensor())
                                    .to(type)));
  ASSERT_TRUE(process_model_after_loading(*tiled).ok());
  EXPECT_EQ(expected, digest_of(tiled->find("x")->quant_method->compute_value(*tiled->find("x"), "weight").to(type)));
}

INSTANTIATE_TEST_SUITE_P(golden, CompressedTensors, ::testing::ValuesIn(cases_of("compressed_tensors.json", "wna16")));

// A layer of experts that loaded them; the case's rows are an expert's intermediate elements, its columns the hidden ones.
std::unique_ptr<Model> loaded_experts(const Case& each, const std::string& quant) {
  const Json& tensors = each.json["tensors"];
  const std::string first = "experts.0.gate_proj.";
  const int64_t groups = tensors[first + "weight_scale"]["shape"][1].get<int64_t>();
  LayerSpec spec = layer_of("fused_experts",
                            {{"hidden", each.number("columns")},
                             {"intermediate", each.number("rows")},
                             {"experts", 2L},
                             {"packed", true},
                             {"group", each.number("columns") / groups},
                             {"zero_points", tensors.contains(first + "weight_zero_point")}},
                            "x", *dtype_from_name(each.text("dtype")));
  spec.quant = quant;
  EXPECT_EQ(deliveries_of(model_of({spec})).size(), tensors.size());
  return cold(model_of({spec}), {}, [&](const Delivery& delivery) { return tensor_of(tensors[delivery.name]); });
}

// What an expert's part of a stack [parts · n, k] stands for.
void expect_parts(const Case& each, int64_t expert, std::string_view stack, const at::Tensor& values) {
  const std::vector<std::string> parts =
      stack == "w13" ? std::vector<std::string>{"gate_proj", "up_proj"} : std::vector<std::string>{"down_proj"};
  const int64_t rows = values.size(0) / static_cast<int64_t>(parts.size());
  for (size_t part = 0; part < parts.size(); ++part) {
    const std::string name = fmt::format("experts.{}.{}", expert, parts[part]);
    const at::Tensor of_part = values.narrow(0, rows * static_cast<int64_t>(part), rows).to(to_torch(*dtype_from_name(each.text("dtype"))));
    EXPECT_EQ(each.json["digests"][name]["fnv1a"].get<std::string>(), digest_of(of_part)) << name;
  }
}

class CompressedTensorsExperts : public ::testing::TestWithParam<Case> {};

TEST_P(CompressedTensorsExperts, unpack_to_the_same_values_before_and_after_tiling) {
  const std::unique_ptr<Model> plain = loaded_experts(GetParam(), "none"), tiled = loaded_experts(GetParam(), "experts_wna16");
  ASSERT_TRUE(process_model_after_loading(*tiled).ok());
  for (const std::string stack : {"w13", "w2"}) {
    const std::string name = "x." + stack + "_weight";
    const ParameterPtr zeros = plain->find_tensor(name + "_zero_point");
    const Layer& layer = *tiled->find("x");
    const at::Tensor values = layer.quant_method->compute_value(layer, stack + "_weight");
    for (int64_t expert : {0, 1}) {
      expect_parts(GetParam(), expert, stack,
                   dequantized(unpacked_columns(tensor_at(*plain, name + "_packed")[expert]), tensor_at(*plain, name + "_scale")[expert],
                               zeros ? unpacked_rows(zeros->tensor[expert]) : at::Tensor()));
      expect_parts(GetParam(), expert, stack, values[expert]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(golden, CompressedTensorsExperts, ::testing::ValuesIn(cases_of("compressed_tensors.json", "experts_wna16")));

class CompressedTensorsOnline : public ::testing::TestWithParam<Case> {};

TEST_P(CompressedTensorsOnline, quantize_to_what_the_packed_checkpoint_becomes) {
  const std::unique_ptr<Model> made = online(GetParam()), tiled = loaded(GetParam(), "wna16");
  ASSERT_TRUE(process_model_after_loading(*tiled).ok());
  EXPECT_TRUE(tensor_at(*made, "x.weight").equal(tensor_at(*tiled, "x.weight_packed")));
  for (const char* name : {"x.weight_scale", "x.weight_zero_point"})
    EXPECT_TRUE(tensor_at(*made, name).equal(tensor_at(*tiled, name))) << name;
}

// Those that are symmetric have no online method.
INSTANTIATE_TEST_SUITE_P(golden, CompressedTensorsOnline, ::testing::ValuesIn(cases_of("compressed_tensors.json", "wna16_online")));

}  // namespace
}  // namespace reloadlab::model
