// Folders and indexes: what is found where, and what an index may not say.
#include <gtest/gtest.h>

#include "sim/checkpoint/safetensors_source.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {
namespace {

// A file with one-byte tensors of these names.
std::string shard(const std::vector<std::string>& names) {
  std::string json = "{";
  for (size_t i = 0; i < names.size(); ++i) {
    json += (i ? ",\"" : "\"") + names[i] + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" + std::to_string(i) + "," +
            std::to_string(i + 1) + "]}";
  }
  return stored(json + "}", names.size());
}

class Source : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("one.safetensors", shard({"a", "b"}));
    folder_.write("two.safetensors", shard({"c"}));
  }
  void index(const std::string& text) { folder_.write("model.safetensors.index.json", text); }
  std::string message() {
    Result<SafetensorsSource> opened = SafetensorsSource::open(folder_.path());
    if (opened.ok()) return "ok";
    EXPECT_EQ(opened.status().code(), Code::data);
    std::string text = opened.status().message(), prefix = folder_.path().string() + "/";
    for (size_t at; (at = text.find(prefix)) != text.npos;) text.erase(at, prefix.size());
    return text;
  }
  TemporaryFolder folder_;
};

constexpr std::string_view good_map = R"("weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"})";

TEST_F(Source, AnIndexFindsEveryTensorInItsShard) {
  index("{\"metadata\":{\"total_size\":3,\"other\":[null,{\"x\":1.5}]}," + std::string(good_map) + "}");
  Result<SafetensorsSource> source = SafetensorsSource::open(folder_.path());
  ASSERT_TRUE(source.ok()) << source.status().message();
  EXPECT_EQ(source->entries().size(), 3u);
  EXPECT_TRUE(source->entries().at("c").file->path().ends_with("two.safetensors"));
  EXPECT_EQ(source->entries().at("c").tensor->name, "c");
}

TEST_F(Source, AnIndexMayBeNamedItself) {
  index("{" + std::string(good_map) + "}");
  EXPECT_TRUE(SafetensorsSource::open(folder_.path() / "model.safetensors.index.json").ok());
}

TEST_F(Source, ASingleFileIsFoundByItsNameAndByItsFolder) {
  folder_.write("model.safetensors", shard({"z"}));
  EXPECT_EQ(SafetensorsSource::open(folder_.path())->entries().begin()->first, "z");
  EXPECT_EQ(SafetensorsSource::open(folder_.path() / "one.safetensors")->entries().size(), 2u);
}

TEST_F(Source, AShardMayBeASymbolicLink) {
  TemporaryFolder blobs;
  std::filesystem::path blob = blobs.write("blob", shard({"c"}));
  std::filesystem::remove(folder_.path() / "two.safetensors");
  std::filesystem::create_symlink(blob, folder_.path() / "two.safetensors");
  index("{" + std::string(good_map) + "}");
  EXPECT_EQ(message(), "ok");
}

struct BadIndex {
  std::string text;
  std::string message;
};

TEST_F(Source, EveryBadIndexIsRefusedWithItsMessage) {
  const std::string file = "model.safetensors.index.json: offset ";
  const std::vector<BadIndex> bad = {
      {"", file + "0: syntax error while parsing value - unexpected end of input, expected '[', '{', or a literal"},
      {"[]", file + "0: no weight_map, expected an object with weight_map, an object of shard names by tensor"},
      {"{}", file + "0: no weight_map, expected an object with weight_map, an object of shard names by tensor"},
      {R"({"weight_map":[]})", file + "14: no weight_map, expected an object with weight_map, an object of shard names by tensor"},
      {R"({"weight_map":{"a":1}})", file + "19: tensor \"a\" is in 1, expected a shard's name"},
      {R"({"weight_map":{},"weight_map":{}})", file + "17: key \"weight_map\" a second time, expected each key once"},
      {R"({"weight_map":{"a":"one.safetensors","a":"two.safetensors"}})", file + "37: key \"a\" a second time, expected each key once"},
      {R"({"weight_map":{"a":"../one.safetensors"}})",
       file + "19: tensor \"a\" is in \"../one.safetensors\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":"/etc/passwd"}})",
       file + "19: tensor \"a\" is in \"/etc/passwd\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":"sub/one.safetensors"}})",
       file + "19: tensor \"a\" is in \"sub/one.safetensors\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":".."}})", file + "19: tensor \"a\" is in \"..\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":""}})", file + "19: tensor \"a\" is in \"\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":"one.safetensors\u0000"}})",
       file + "19: tensor \"a\" is in \"one.safetensors?\", expected a plain file name in the index's folder"},
      {R"({"weight_map":{"a":"none.safetensors"}})",
       file + "15: none.safetensors: offset 0: No such file or directory, expected a safetensors file"},
      {R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"one.safetensors"}})",
       file + "59: tensor \"c\" is not in \"one.safetensors\", expected it there"},
      {R"({"weight_map":{"a":"one.safetensors"}})",
       "one.safetensors: offset 114: tensor \"b\", expected only what \"model.safetensors.index.json\" puts into this shard"},
      {R"({"weight_map":{"x":)" + std::string(20, '[') + "}}", file + "25: an array nested too deep, expected at most 8 levels"},
  };
  for (const BadIndex& one : bad) {
    index(one.text);
    EXPECT_EQ(message(), one.message) << one.text;
  }
}

TEST_F(Source, ATensorInTwoShardsIsRefused) {
  folder_.write("two.safetensors", shard({"c", "a"}));
  index("{" + std::string(good_map) + "}");
  EXPECT_EQ(message(),
            "two.safetensors: offset 114: tensor \"a\", expected only what \"model.safetensors.index.json\" puts into this shard");
}

TEST_F(Source, ABadShardIsNamedByTheIndex) {
  folder_.write("two.safetensors", "short");
  index("{" + std::string(good_map) + "}");
  EXPECT_EQ(message(),
            "model.safetensors.index.json: offset 59: two.safetensors: offset 0: 5 bytes in the file, expected at least 8 with the "
            "header's length");
}

TEST_F(Source, AFolderWithoutWeightsSaysWhatItLooksFor) {
  TemporaryFolder empty;
  EXPECT_EQ(
      SafetensorsSource::open(empty.path()).status().message(),
      empty.path().string() + ": offset 0: a folder without weights, expected model.safetensors or model.safetensors.index.json in it");
}

}  // namespace
}  // namespace reloadlab::sim
