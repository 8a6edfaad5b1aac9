#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/checkpoint/safetensors.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {
namespace {

class Safetensors : public testing::Test {
 protected:
  SafetensorsFile open(std::string_view bytes) {
    Result<SafetensorsFile> opened = SafetensorsFile::open(folder_.write("model.safetensors", bytes));
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return *std::move(opened);
  }
  static std::vector<int> read(const SafetensorsFile& file, std::string_view name) {
    const StoredTensor* tensor = file.header().find(name);
    std::vector<std::byte> bytes(tensor->end - tensor->begin);
    Status status = file.read(*tensor, bytes);
    EXPECT_TRUE(status.ok()) << status.message();
    std::vector<int> values;
    for (std::byte byte : bytes) values.push_back(std::to_integer<int>(byte));
    return values;
  }
  TemporaryFolder folder_;
};

TEST_F(Safetensors, TensorsAreReadWhereverTheHeaderListsThem) {
  SafetensorsFile file =
      open(stored(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{"data_offsets":[0,4],"shape":[2,1],"dtype":"BF16"}})", 6));
  ASSERT_EQ(file.header().tensors.size(), 2u);
  EXPECT_EQ(file.header().tensors[0].name, "a");
  EXPECT_EQ(file.header().find("a")->shape, (Shape{2, 1}));
  EXPECT_EQ(file.header().find("a")->dtype, DType::bf16);
  EXPECT_EQ(read(file, "a"), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(read(file, "b"), (std::vector<int>{4, 5}));
  EXPECT_EQ(file.header().find("c"), nullptr);
}

TEST_F(Safetensors, DataAtAnOddOffsetIsReadAsWell) {
  std::string json = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}})";
  json += std::string(1 - json.size() % 2, ' ');  // an odd header on top
  SafetensorsFile file = open(stored(json, 9));
  EXPECT_EQ(read(file, "y"), (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST_F(Safetensors, EveryTypeOfTheFormatHasItsSize) {
  for (auto [type, bits] : std::vector<std::pair<std::string, int>>{
           {"F64", 64}, {"F32", 32}, {"F16", 16},    {"BF16", 16},   {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"I64", 64},
           {"I32", 32}, {"I16", 16}, {"I8", 8},      {"U8", 8},      {"BOOL", 8},    {"U16", 16},    {"U32", 32},
           {"U64", 64}, {"C64", 64}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}}) {
    std::string bytes = std::to_string(bits / 2);  // of four elements
    SafetensorsFile file = open(
        stored("{\"w\":{\"dtype\":\"" + type + "\",\"shape\":[4],\"data_offsets\":[0," + bytes + "]}}", static_cast<size_t>(bits / 2)));
    const StoredTensor& tensor = file.header().tensors.at(0);
    EXPECT_EQ(tensor.type, type);
    if (tensor.dtype) {
      EXPECT_EQ(dtype_size(*tensor.dtype) * 8, bits) << type;
    }
  }
}

TEST_F(Safetensors, MetadataPaddingScalarsAndEmptyTensorsAreFine) {
  SafetensorsFile file =
      open(stored(R"({"__metadata__":{"format":"pt","":"\u00e4"},)"
                  R"("none":{"dtype":"F32","shape":[3,0],"data_offsets":[2,2]},"s":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}      )",
                  2));
  EXPECT_EQ(file.header().metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"", "\u00e4"}}));
  EXPECT_EQ(file.header().find("s")->shape, Shape{});
  EXPECT_EQ(read(file, "none"), std::vector<int>{});
  EXPECT_EQ(file.header().find("__metadata__"), nullptr);
}

TEST_F(Safetensors, NothingButTheHeaderIsReadForShapes) {
  std::string bytes = stored(R"({"w":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 9);
  uint64_t furthest = 0;
  auto read = [&](uint64_t offset, std::span<std::byte> out) {
    furthest = std::max<uint64_t>(furthest, offset + out.size());
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return Status();
  };
  Result<SafetensorsHeader> header = read_safetensors_header("memory", bytes.size(), read);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(furthest, bytes.size() - 9);
}

TEST_F(Safetensors, AFileThatShrankSinceItWasOpenedIsAnErrorWithItsOffset) {
  SafetensorsFile file = open(stored(R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4));
  uint64_t end = file.header().find("w")->end;
  std::filesystem::resize_file(file.path(), end - 1);
  std::vector<std::byte> bytes(4);
  EXPECT_EQ(file.read(*file.header().find("w"), bytes).message(),
            file.path() + ": offset " + std::to_string(end - 1) + ": the end of the file, expected 1 more bytes");
}

TEST_F(Safetensors, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  std::filesystem::path pipe = folder_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(SafetensorsFile::open(pipe).status().message(), pipe.string() + ": offset 0: not a regular file, expected a safetensors file");
  EXPECT_EQ(SafetensorsFile::open(folder_.path() / "absent").status().message(),
            (folder_.path() / "absent").string() + ": offset 0: No such file or directory, expected a safetensors file");
}

}  // namespace
}  // namespace reloadlab::sim
