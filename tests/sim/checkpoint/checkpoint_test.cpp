// Checkpoints as the harness uses them: through open_checkpoint(), with a model.
#include "sim/checkpoint/checkpoint.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "reference/model/kind.h"
#include "reference/model/layer.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {
namespace {

model::LayerSpec layer_of(std::string name, std::string kind, Values values) {
  for (const model::KeyInfo& key : model::find_layer_kind(kind)->keys()) values.emplace(key.name, key.fallback);
  return {.name = std::move(name), .kind = std::move(kind), .dtype = DType::f32, .values = std::move(values)};
}

// Takes embed.weight [2, 3] and norm.weight [3].
Case small_case() {
  Case the_case;
  the_case.model.layers = {layer_of("embed", "embedding", {{"rows", int64_t{2}}, {"hidden", int64_t{3}}}),
                           layer_of("norm", "norm", {{"hidden", int64_t{3}}})};
  return the_case;
}

std::vector<model::Delivery> deliveries_of(const model::ModelSpec& model) {
  std::vector<model::Delivery> all;
  for (const model::LayerSpec& layer : model.layers)
    for (model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer)) all.push_back(std::move(delivery));
  return all;
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape, int begin, int end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype, shape, begin, end);
}

class Checkpoints : public testing::Test {
 protected:
  Checkpoints() : the_case_(small_case()) {}

  void safetensors(const std::string& entries, size_t data_bytes) {
    path_ = folder_.write("model.safetensors", stored("{" + entries + "}", data_bytes)).string();
    the_case_.checkpoints = {{"A", {.source = CheckpointSpec::Source::safetensors, .path = path_}}};
  }
  std::string refusal(const std::string& name = "A") {
    Result<std::shared_ptr<const Checkpoint>> opened = open_checkpoint(the_case_, name);
    if (opened.ok()) return "ok";
    EXPECT_EQ(opened.status().code(), Code::data);
    std::string message = opened.status().message();
    if (size_t at = message.find(path_); !path_.empty() && at != message.npos) message.replace(at, path_.size(), "FILE");
    return message;
  }
  std::shared_ptr<const Checkpoint> open(const std::string& name) {
    Result<std::shared_ptr<const Checkpoint>> opened = open_checkpoint(the_case_, name);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return *opened;
  }
  static at::Tensor read(const Checkpoint& checkpoint, const model::Delivery& delivery) {
    Result<at::Tensor> tensor = checkpoint.read(delivery);
    EXPECT_TRUE(tensor.ok()) << tensor.status().message();
    return *tensor;
  }

  Case the_case_;
  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(Checkpoints, EveryReadIsAFreshDenseTensorOfTheDeliverysShapeAndDtype) {
  the_case_.checkpoints = {{"A", {.seed = 1}}};
  auto checkpoint = open("A");
  for (DType dtype : all_dtypes()) {
    model::Delivery delivery{.name = "w", .shape = {5, 1, 7}, .dtype = dtype};
    at::Tensor one = read(*checkpoint, delivery), two = read(*checkpoint, delivery);
    EXPECT_EQ(one.sizes(), at::IntArrayRef(delivery.shape));
    EXPECT_EQ(model::from_torch(one.scalar_type()), dtype);
    EXPECT_TRUE(one.is_contiguous());
    EXPECT_NE(one.data_ptr(), two.data_ptr());
    EXPECT_EQ(std::memcmp(one.data_ptr(), two.data_ptr(), one.nbytes()), 0) << dtype_name(dtype);
  }
}

// Counts what it is asked for.
class CountingCheckpoint final : public Checkpoint {
 public:
  Result<at::Tensor> read(const model::Delivery& delivery) const override {
    ++reads;
    return synthetic_checkpoint(7)->read(delivery);
  }
  mutable int reads = 0;
};

TEST_F(Checkpoints, WhatIsRememberedIsMadeOnceAndGivenOutAsFreshCopies) {
  auto base = std::make_shared<CountingCheckpoint>();
  const auto remembered = remembered_checkpoint(base, /*bytes_each=*/12);
  const std::vector<model::Delivery> deliveries = deliveries_of(the_case_.model);  // 24 bytes and 12
  for (const model::Delivery& delivery : deliveries) {
    at::Tensor first = *remembered->read(delivery), second = *remembered->read(delivery);
    EXPECT_TRUE(at::equal(first, second));
    first.zero_();
    EXPECT_TRUE(at::equal(second, *base->read(delivery)));
    EXPECT_TRUE(at::equal(second, *remembered->read(delivery)));
  }
  EXPECT_EQ(base->reads, 3 + 1 + 2);
}

TEST_F(Checkpoints, DigitPlanesTellWhereEachElementCameFrom) {
  std::vector<model::Delivery> deliveries = deliveries_of(the_case_.model);
  ASSERT_EQ(digit_planes(deliveries), 1);
  at::Tensor second = read(*digit_checkpoint(deliveries, 0), deliveries[1]);
  std::vector<float> values(second.data_ptr<float>(), second.data_ptr<float>() + 3);
  EXPECT_EQ(values, (std::vector<float>{7, 8, 9}));  // after six elements, counted from one
  EXPECT_EQ(digit_checkpoint(deliveries, 0)->read({.name = "other", .shape = {1}}).status().code(), Code::data);
}

TEST_F(Checkpoints, AFilesTensorsAreReadByteForByte) {
  safetensors(entry("norm.weight", "F32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[2,3]", 12, 36) + " ", 36);
  auto checkpoint = open("A");
  at::Tensor embed = read(*checkpoint, deliveries_of(the_case_.model)[0]);
  std::vector<uint8_t> expected(24);
  std::iota(expected.begin(), expected.end(), uint8_t{12});
  EXPECT_EQ(std::memcmp(embed.data_ptr(), expected.data(), 24), 0);
  EXPECT_EQ(checkpoint->unexpected(), std::vector<std::string>{});
}

TEST_F(Checkpoints, NamesThatNoLayerTakesAreReported) {
  safetensors(entry("norm.weight", "F32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[2,3]", 12, 36) + "," +
                  entry("more", "U16", "[1]", 36, 38),
              38);
  EXPECT_EQ(open("A")->unexpected(), std::vector<std::string>{"more"});
}

TEST_F(Checkpoints, AMissingTensorIsAnError) {
  safetensors(entry("norm.weight", "F32", "[3]", 0, 12), 12);
  EXPECT_EQ(refusal(), "checkpoint A: FILE: offset 0: no tensor for embed.weight, expected f32 [2, 3]");
}

TEST_F(Checkpoints, AnotherShapeIsAnErrorAtTheTensorsOffset) {
  safetensors(entry("norm.weight", "F32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[3,2]", 12, 36), 36);
  EXPECT_EQ(refusal(), "checkpoint A: FILE: offset 153: tensor \"embed.weight\" is f32 [3, 2], expected f32 [2, 3] for embed.weight");
}

TEST_F(Checkpoints, AnotherDtypeIsAnErrorAlsoWhenItIsNoneOfOurs) {
  safetensors(entry("norm.weight", "I32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[2,3]", 12, 36), 36);
  EXPECT_EQ(refusal(), "checkpoint A: FILE: offset 141: tensor \"norm.weight\" is i32 [3], expected f32 [3] for norm.weight");
  safetensors(entry("norm.weight", "U32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[2,3]", 12, 36), 36);
  EXPECT_EQ(refusal(), "checkpoint A: FILE: offset 141: tensor \"norm.weight\" is U32 [3], expected f32 [3] for norm.weight");
}

TEST_F(Checkpoints, ABoolThatIsNeitherZeroNorOneIsAnErrorWhenItIsRead) {
  the_case_.model.layers = {layer_of("norm", "norm", {{"hidden", int64_t{3}}})};
  the_case_.model.layers[0].dtype = DType::boolean;
  safetensors(entry("norm.weight", "BOOL", "[3]", 0, 3), 3);  // bytes 0, 1, 2
  EXPECT_EQ(open("A")->read(deliveries_of(the_case_.model)[0]).status().message(),
            path_ + ": offset 75: tensor \"norm.weight\" holds 2, expected bools of 0 or 1");
}

TEST_F(Checkpoints, AnUnknownMapAndAnUnknownFileAreErrors) {
  the_case_.checkpoints = {{"A", {.source = CheckpointSpec::Source::safetensors, .path = "/nowhere", .map = "bret"}}};
  EXPECT_EQ(refusal(),
            "checkpoint A: no name map is called \"bret\", expected one of bert, llama, qwen_moe, deepseek; did you mean \"bert\"?");
  the_case_.checkpoints[0].second.map = "";
  EXPECT_EQ(refusal(), "checkpoint A: /nowhere: offset 0: No such file or directory, expected a safetensors file");
  EXPECT_EQ(refusal("C"), "checkpoint C: no checkpoint is called \"C\"");
}

TEST_F(Checkpoints, APerturbedOneChangesEveryElementOfItsBaseAndReportsItsUnexpectedNames) {
  safetensors(entry("norm.weight", "F32", "[3]", 0, 12) + "," + entry("embed.weight", "F32", "[2,3]", 12, 36) + "," +
                  entry("more", "U8", "[1]", 36, 37),
              37);
  the_case_.checkpoints.push_back({"B", {.source = CheckpointSpec::Source::perturbed, .seed = 4, .base = "A"}});
  the_case_.checkpoints.push_back({"C", {.source = CheckpointSpec::Source::perturbed, .seed = 5, .base = "B"}});
  auto a = open("A"), b = open("B"), c = open("C");
  for (const model::Delivery& delivery : deliveries_of(the_case_.model)) {
    at::Tensor of_a = read(*a, delivery), of_b = read(*b, delivery), of_c = read(*c, delivery);
    EXPECT_FALSE((of_a == of_b).any().item<bool>());
    EXPECT_FALSE((of_b == of_c).any().item<bool>());
    EXPECT_TRUE(of_c.isfinite().all().item<bool>());
  }
  EXPECT_EQ(c->unexpected(), std::vector<std::string>{"more"});
}

// weight_shape is brought once for each of q, k and v: any of them may come last. Where each came from can be told all the same.
TEST_F(Checkpoints, RepeatedDeliveriesHoldEqualValuesAndHaveNumbersOfTheirOwn) {
  the_case_.model.layers = {layer_of("qkv", "scalars", {{"rows", int64_t{6}}, {"columns", int64_t{4}}, {"shape_deliveries", int64_t{3}}})};
  the_case_.checkpoints = {{"A", {.seed = 1}}, {"B", {.source = CheckpointSpec::Source::perturbed, .seed = 4, .base = "A"}}};
  const std::vector<model::Delivery> all = deliveries_of(the_case_.model);
  ASSERT_EQ(all[2].name, "qkv.v_proj.weight_shape");
  const auto digits = digit_checkpoint(all, 0);
  for (const size_t other : {1, 2}) {
    for (const char* name : {"A", "B"})
      EXPECT_TRUE(at::equal(read(*open(name), all[0]), read(*open(name), all[other]))) << name << " " << all[other].name;
    EXPECT_FALSE(at::equal(read(*digits, all[0]), read(*digits, all[other])));
  }
}

TEST_F(Checkpoints, AChainOfBasesMustEnd) {
  the_case_.checkpoints = {{"A", {.source = CheckpointSpec::Source::perturbed, .base = "B"}},
                           {"B", {.source = CheckpointSpec::Source::perturbed, .base = "A"}}};
  EXPECT_EQ(refusal(), "checkpoint A: checkpoint \"A\" is made from itself, expected a chain of bases that ends");
}

}  // namespace
}  // namespace reloadlab::sim
