// Whatever the bytes, the parser neither crashes nor reads outside, and a header that it accepts keeps every promise of
// safetensors.h. Memory is exactly as long as the file, so that the sanitizers see the first byte beyond it.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "sim/checkpoint/json_tree.h"
#include "sim/checkpoint/safetensors.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {
namespace {

const std::vector<std::string>& seeds() {
  static const std::vector<std::string> files = {
      stored("{}", 0),
      stored(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}})", 8),
      stored(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
             R"("b\u0041":{"dtype":"F4","shape":[2,0],"data_offsets":[4,4]},"c":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]}}  )",
             7),
  };
  return files;
}

// Pieces that break parsers more often than random bytes do.
const std::vector<std::string>& pieces() {
  static const std::vector<std::string> all = {"{",
                                               "}",
                                               "[",
                                               "]",
                                               ",",
                                               ":",
                                               "\"",
                                               "\\",
                                               "\\u0000",
                                               "\\ud800",
                                               std::string(1, '\0'),
                                               "\xff",
                                               "-",
                                               "-0",
                                               "1e9",
                                               "1e999",
                                               "0",
                                               "1",
                                               "18446744073709551615",
                                               "18446744073709551616",
                                               "9223372036854775807",
                                               "9223372036854775808",
                                               "4294967296",
                                               "null",
                                               "true",
                                               "\"dtype\":\"U8\"",
                                               "\"shape\":[0]",
                                               "\"data_offsets\":[0,0]",
                                               "\"__metadata__\":{}",
                                               "\"F64\"",
                                               "[[[[",
                                               "{\"a\":{\"a\":{\"a\":"};
  return all;
}

// REQUIRES a non-empty text. One change at a random place: a byte flipped, a piece put in, a stretch taken out or doubled.
std::string mutated(std::string text) {
  size_t at = *rc::gen::inRange<size_t>(0, text.size());
  size_t length = *rc::gen::inRange<size_t>(1, std::min<size_t>(12, text.size() - at + 1) + 1);
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      text[at] = static_cast<char>(*rc::gen::arbitrary<uint8_t>());
      break;
    case 1:
      text.insert(at, *rc::gen::elementOf(pieces()));
      break;
    case 2:
      text.erase(at, length);
      break;
    default:
      text.insert(at, text.substr(at, length));
      break;
  }
  return text;
}

Result<SafetensorsHeader> parse(const std::string& bytes) {
  auto exact = std::make_unique<std::byte[]>(bytes.size());
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  return read_safetensors_header("fuzz", bytes.size(), [&](uint64_t offset, std::span<std::byte> out) {
    RC_ASSERT(out.size() <= bytes.size() && offset <= bytes.size() - out.size());
    std::memcpy(out.data(), exact.get() + offset, out.size());
    return Status();
  });
}

// A refusal has a position and an expectation; an acceptance accounts for every byte of the file.
void judge(const std::string& bytes) {
  Result<SafetensorsHeader> header = parse(bytes);
  if (!header.ok()) {
    RC_ASSERT(header.status().code() == Code::data);
    RC_ASSERT(header.status().message().starts_with("fuzz: offset "));
    RC_ASSERT(header.status().message().find(", expected ") != std::string::npos);
    return;
  }
  uint64_t data_bytes = 0;
  for (const StoredTensor& tensor : header->tensors) {
    RC_ASSERT(tensor.begin <= tensor.end);
    RC_ASSERT(tensor.end <= bytes.size());
    if (tensor.dtype) RC_ASSERT(static_cast<uint64_t>(numel(tensor.shape) * dtype_size(*tensor.dtype)) == tensor.end - tensor.begin);
    data_bytes += tensor.end - tensor.begin;
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  RC_ASSERT(8 + length + data_bytes == bytes.size());
}

TEST(SafetensorsFuzz, MutatedFilesAreRefusedOrWhole) {
  EXPECT_TRUE(rc::check([] {
    std::string bytes = *rc::gen::elementOf(seeds());
    int count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count && !bytes.empty(); ++i) bytes = mutated(std::move(bytes));
    judge(bytes);
  }));
}

TEST(SafetensorsFuzz, MutatedHeadersUnderARightLengthAreRefusedOrWhole) {
  EXPECT_TRUE(rc::check([] {
    std::string seed = *rc::gen::elementOf(seeds());
    uint64_t length = 0;
    std::memcpy(&length, seed.data(), sizeof length);
    std::string json = seed.substr(8, length), data = seed.substr(8 + length);
    int count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count && !json.empty(); ++i) json = mutated(std::move(json));
    judge(length_bytes(json.size()) + json + data);
  }));
}

TEST(SafetensorsFuzz, EveryPrefixOfAGoodFileIsRefused) {
  for (const std::string& seed : seeds()) {
    for (size_t length = 0; length < seed.size(); ++length) EXPECT_FALSE(parse(seed.substr(0, length)).ok()) << length;
    EXPECT_TRUE(parse(seed).ok());
  }
}

TEST(SafetensorsFuzz, AnyLengthFieldIsRefusedOrRight) {
  EXPECT_TRUE(rc::check([](uint64_t length) { judge(length_bytes(length) + seeds()[1].substr(8)); }));
}

TEST(SafetensorsFuzz, ATextOfTooManyValuesIsRefusedWhileItIsRead) {
  Result<JsonNode> tree = parse_json_tree("[1,2,3,4]", Origin{"text"}, {.depth_max = 3, .values_max = 3});
  EXPECT_EQ(tree.status().message(), "text: offset 5: one more value, expected at most 3");
}

}  // namespace
}  // namespace reloadlab::sim
