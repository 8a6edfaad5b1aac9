// Files that must be refused, each with the message that it must give.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "sim/checkpoint/safetensors.h"
#include "tests/sim/checkpoint/safetensors_bytes.h"

namespace reloadlab::sim {
namespace {

struct BadFile {
  std::string name;
  std::string bytes;
  std::string message;  // after "file: offset "
};

// One tensor "w" with these three values, in front of `data_bytes` bytes.
std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets, size_t data_bytes) {
  return stored(
      "{\"w\":{\"dtype\":" + std::string(dtype) + ",\"shape\":" + std::string(shape) + ",\"data_offsets\":" + std::string(offsets) + "}}",
      data_bytes);
}

std::string u8(std::string_view name, int begin, int end) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(end - begin) + "],\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string many_dimensions(int count) {
  std::string shape = "[1";
  for (int i = 1; i < count; ++i) shape += ",1";
  return shape + "]";
}

const std::vector<BadFile>& bad_files() {
  static const std::vector<BadFile> files = {
      // the length
      {"empty", "", "0: 0 bytes in the file, expected at least 8 with the header's length"},
      {"seven bytes", std::string(7, '\0'), "0: 7 bytes in the file, expected at least 8 with the header's length"},
      {"length beyond the file", length_bytes(100) + "{}", "0: a header of 100 bytes, expected at most the 2 that follow"},
      {"length one too many", length_bytes(3) + "{}", "0: a header of 3 bytes, expected at most the 2 that follow"},
      {"length beyond every reader", length_bytes(100'000'001) + "{}", "0: a header of 100000001 bytes, expected at most 100000000"},
      {"length that overflows when 8 is added", length_bytes(~uint64_t{0} - 3) + "{}",
       "0: a header of 18446744073709551612 bytes, expected at most 100000000"},
      {"length in big endian", std::string("\0\0\0\0\0\0\0\2{}", 10),
       "0: a header of 144115188075855872 bytes, expected at most 100000000"},
      {"length zero", length_bytes(0), "8: a header that is no JSON object, expected \"{\""},
      // the text
      {"no object", stored("[]", 0), "8: a header that is no JSON object, expected \"{\""},
      {"space before the object", stored(" {}", 0), "8: a header that is no JSON object, expected \"{\""},
      {"byte order mark", stored("\xEF\xBB\xBF{}", 0), "8: a header that is no JSON object, expected \"{\""},
      {"cut", stored("{\"w\":", 0), "13: syntax error while parsing value - unexpected end of input, expected '[', '{', or a literal"},
      {"brace missing", stored("{\"w\":{}", 0), "15: syntax error while parsing object - unexpected end of input, expected '}'"},
      {"text after the object", stored("{}x", 0), "10: syntax error while parsing value - invalid literal, expected JSON"},
      {"second object", stored("{}{}", 0), "10: syntax error while parsing value - unexpected '{', expected end of input"},
      {"comma at the end", stored("{" + u8("w", 0, 1) + ",}", 1),
       "61: syntax error while parsing object key - unexpected '}', expected string literal"},
      {"single quotes", stored("{'w':1}", 0), "9: syntax error while parsing object key - invalid literal, expected JSON"},
      {"comment", stored("{}//", 0), "10: syntax error while parsing value - invalid literal, expected JSON"},
      {"NUL behind the object", stored(std::string("{}\0\0", 4), 0), "10: a NUL byte, expected JSON"},
      {"name that is not UTF-8", stored("{\"\xC3\x28\":{}}", 0),
       "11: syntax error while parsing object key - invalid string: ill-formed UTF-8 byte, expected JSON"},
      {"control character in a name", stored("{\"a\nb\":{}}", 0),
       "11: syntax error while parsing object key - invalid string: control character U+000A (LF) must be escaped to \\u000A or \\n, "
       "expected JSON"},
      {"lone surrogate", stored("{\"\\ud800\":{}}", 0),
       "16: syntax error while parsing object key - invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF, expected "
       "JSON"},
      {"number that no double holds", one("\"U8\"", "[1e999]", "[0,1]", 1), "40: number overflow parsing '1e999', expected JSON"},
      {"nested too deep", stored("{\"w\":{\"shape\":[[]]}}", 0), "23: an array nested too deep, expected at most 3 levels"},
      {"nested very deep", stored("{\"w\":" + std::string(100'000, '['), 0), "15: an array nested too deep, expected at most 3 levels"},
      // keys
      {"name twice", stored("{" + u8("w", 0, 1) + "," + u8("w", 1, 2) + "}", 2), "61: key \"w\" a second time, expected each key once"},
      {"name twice, once escaped", stored("{" + u8("w", 0, 1) + "," + u8("\\u0077", 1, 2) + "}", 2),
       "61: key \"w\" a second time, expected each key once"},
      {"dtype twice", stored("{\"w\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1),
       "27: key \"dtype\" a second time, expected each key once"},
      {"metadata twice", stored("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
       "27: key \"__metadata__\" a second time, expected each key once"},
      {"metadata of numbers", stored("{\"__metadata__\":{\"format\":1}}", 0), "34: __metadata__ \"format\" is 1, expected a string"},
      {"metadata that is a string", stored("{\"__metadata__\":\"pt\"}", 0), "24: __metadata__ is \"pt\", expected an object of strings"},
      {"tensor that is no object", stored("{\"w\":[0,1]}", 1),
       "13: tensor \"w\" is an array, expected an object with dtype, shape and data_offsets"},
      {"no dtype", stored("{\"w\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
       "13: tensor \"w\" has no dtype, expected dtype, shape and data_offsets"},
      {"no shape", stored("{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1),
       "13: tensor \"w\" has no shape, expected dtype, shape and data_offsets"},
      {"no offsets", stored("{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1),
       "13: tensor \"w\" has no data_offsets, expected dtype, shape and data_offsets"},
      {"key of another format", stored("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"strides\":[1]}}", 1),
       "60: tensor \"w\" has a key \"strides\", expected dtype, shape and data_offsets only"},
      // dtype and shape
      {"unknown dtype", one("\"F128\"", "[1]", "[0,16]", 16),
       "22: tensor \"w\" has dtype \"F128\", expected a dtype of the format such as F32 or BF16"},
      {"dtype in lower case", one("\"f32\"", "[1]", "[0,4]", 4),
       "22: tensor \"w\" has dtype \"f32\", expected a dtype of the format such as F32 or BF16"},
      {"dtype that is a number", one("32", "[1]", "[0,4]", 4), "22: tensor \"w\" has dtype 32, expected a string"},
      {"shape that is a number", one("\"U8\"", "4", "[0,4]", 4), "35: tensor \"w\" has shape 4, expected an array"},
      {"negative dimension", one("\"U8\"", "[-1]", "[0,1]", 1),
       "36: tensor \"w\" has the dimension -1, expected a natural number below 2^63"},
      {"two negative dimensions", one("\"U8\"", "[-2,-2]", "[0,4]", 4),
       "36: tensor \"w\" has the dimension -2, expected a natural number below 2^63"},
      {"dimension that is a fraction", one("\"U8\"", "[4.0]", "[0,4]", 4),
       "36: tensor \"w\" has the dimension 4.0, expected a natural number below 2^63"},
      {"dimension that is a string", one("\"U8\"", "[\"4\"]", "[0,4]", 4),
       "36: tensor \"w\" has the dimension \"4\", expected a natural number below 2^63"},
      {"dimension beyond int64", one("\"U8\"", "[9223372036854775808]", "[0,1]", 1),
       "36: tensor \"w\" has the dimension 9223372036854775808, expected a natural number below 2^63"},
      {"dimension beyond uint64", one("\"U8\"", "[18446744073709551617]", "[0,1]", 1),
       "36: tensor \"w\" has the dimension 18446744073709551617, expected a natural number below 2^63"},
      {"product that overflows to zero", one("\"U8\"", "[4294967296,4294967296]", "[0,0]", 0),
       "35: tensor \"w\" has a shape whose size overflows, expected less than 2^64 bits"},
      {"bytes that overflow", one("\"F64\"", "[2305843009213693952]", "[0,0]", 0),
       "36: tensor \"w\" has a shape whose size overflows, expected less than 2^64 bits"},
      {"overflow beside a zero", one("\"U8\"", "[0,4294967296,4294967296]", "[0,0]", 0),
       "35: tensor \"w\" has a shape whose size overflows, expected less than 2^64 bits"},
      {"more dimensions than any tensor", one("\"U8\"", many_dimensions(65), "[0,1]", 1),
       "35: tensor \"w\" has 65 dimensions, expected at most 64"},
      {"half a byte", one("\"F4\"", "[3]", "[0,1]", 1), "35: tensor \"w\" takes 12 bits, expected whole bytes"},
      // offsets
      {"one offset", one("\"U8\"", "[1]", "[1]", 1), "54: tensor \"w\" has 1 data_offsets, expected 2: begin and end"},
      {"three offsets", one("\"U8\"", "[1]", "[0,1,1]", 1), "54: tensor \"w\" has 3 data_offsets, expected 2: begin and end"},
      {"offsets that are no list", one("\"U8\"", "[1]", "{}", 1), "54: tensor \"w\" has data_offsets an object, expected an array"},
      {"negative offset", one("\"U8\"", "[1]", "[-1,0]", 1),
       "55: tensor \"w\" has the data offset -1, expected a natural number below 2^64"},
      {"end before begin", one("\"U8\"", "[1]", "[1,0]", 1),
       "54: tensor \"w\" has data_offsets [1, 0], expected begin <= end <= 1 (the file's data bytes)"},
      {"end behind the file", one("\"U8\"", "[2]", "[0,2]", 1),
       "54: tensor \"w\" has data_offsets [0, 2], expected begin <= end <= 1 (the file's data bytes)"},
      {"end far behind the file", one("\"U8\"", "[1]", "[0,18446744073709551615]", 1),
       "54: tensor \"w\" has data_offsets [0, 18446744073709551615], expected begin <= end <= 1 (the file's data bytes)"},
      {"offsets that wrap around", one("\"U8\"", "[2]", "[18446744073709551615,1]", 2),
       "54: tensor \"w\" has data_offsets [18446744073709551615, 1], expected begin <= end <= 2 (the file's data bytes)"},
      {"too few bytes for the shape", one("\"F32\"", "[2]", "[0,4]", 4),
       "55: tensor \"w\" has 4 bytes of data, expected 8 from its dtype and shape"},
      {"too many bytes for the shape", one("\"F32\"", "[1]", "[0,8]", 8),
       "55: tensor \"w\" has 8 bytes of data, expected 4 from its dtype and shape"},
      {"bytes for a tensor of none", one("\"F32\"", "[0]", "[0,4]", 4),
       "55: tensor \"w\" has 4 bytes of data, expected 0 from its dtype and shape"},
      // layout
      {"gap before the first", stored("{" + u8("w", 1, 2) + "}", 2),
       "62: tensor \"w\" leaves a gap before it, expected it to begin at offset 61"},
      {"gap between two", stored("{" + u8("a", 0, 1) + "," + u8("b", 2, 3) + "}", 3),
       "115: tensor \"b\" leaves a gap before it, expected it to begin at offset 114"},
      {"overlap", stored("{" + u8("a", 0, 2) + "," + u8("b", 1, 3) + "}", 3),
       "114: tensor \"b\" overlaps the tensor before it, expected it to begin at offset 115"},
      {"one inside the other", stored("{" + u8("a", 0, 4) + "," + u8("b", 1, 2) + "}", 4),
       "114: tensor \"b\" overlaps the tensor before it, expected it to begin at offset 117"},
      {"the same bytes twice", stored("{" + u8("a", 0, 2) + "," + u8("b", 0, 2) + "}", 2),
       "113: tensor \"b\" overlaps the tensor before it, expected it to begin at offset 115"},
      {"empty tensor inside another", stored("{" + u8("a", 0, 2) + "," + u8("b", 1, 1) + "}", 2),
       "114: tensor \"b\" overlaps the tensor before it, expected it to begin at offset 115"},
      {"bytes behind the last", stored("{" + u8("w", 0, 1) + "}", 2), "62: 1 bytes that belong to no tensor, expected the end of the file"},
      {"bytes and no tensor", stored("{}", 1), "10: 1 bytes that belong to no tensor, expected the end of the file"},
  };
  return files;
}

TEST(BadSafetensors, EveryBadFileIsRefusedWithItsMessage) {
  TemporaryFolder folder;
  for (const BadFile& bad : bad_files()) {
    std::filesystem::path path = folder.write("bad.safetensors", bad.bytes);
    Result<SafetensorsFile> opened = SafetensorsFile::open(path);
    EXPECT_FALSE(opened.ok()) << bad.name;
    EXPECT_EQ(opened.status().code(), Code::data) << bad.name;
    EXPECT_EQ(opened.status().message(), path.string() + ": offset " + bad.message) << bad.name;
  }
}

TEST(BadSafetensors, AreAtLeastFortyAndOfDifferentNames) {
  std::set<std::string> names;
  for (const BadFile& bad : bad_files()) names.insert(bad.name);
  EXPECT_EQ(names.size(), bad_files().size());
  EXPECT_GE(names.size(), 40u);
}

}  // namespace
}  // namespace reloadlab::sim
