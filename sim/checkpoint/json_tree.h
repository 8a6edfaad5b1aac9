#pragma once
// A JSON text as a tree that remembers where in the file each value stood, for readers that trust nothing: duplicate keys, NUL
// bytes, text after the end, and more depth or more values than the declared limits are refused while the text is still being
// read, so that memory stays in proportion to the text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::sim {

// Where a text comes from: every error of a reader is made here.
struct Origin {
  std::string file;
  uint64_t start = 0;  // offset of the text in the file
  // Code::data, "file: offset N: what". `what` says what was found, then ", expected ...".
  Status error(uint64_t offset_in_text, std::string_view what) const;
};

struct JsonNode {
  enum class Kind {
    object,
    array,
    text,
    natural,  // an integer in [0, 2^64)
    other,    // any other number, true, false, null
  };
  Kind kind = Kind::other;
  size_t offset = 0;      // of the value's first byte in the text
  size_t key_offset = 0;  // of the quote that opens its key; members of objects only
  std::string key;
  std::string text;                // a string's characters; of other scalars the token
  uint64_t number = 0;             // Kind::natural
  std::vector<JsonNode> children;  // members or items, in the order of the text

  const JsonNode* member(std::string_view name) const;  // linear
};

struct JsonLimits {
  size_t depth_max = 8;
  size_t values_max = size_t{1} << 22;
};

Result<JsonNode> parse_json_tree(std::string_view text, const Origin& origin, const JsonLimits& limits);

std::string_view json_kind_name(JsonNode::Kind kind);  // "an object", "a string", ...
std::string describe(const JsonNode& node);            // a scalar's value, otherwise its kind
// A name from a file, fit for a message: in quotes, control characters replaced, cut at 60 bytes.
std::string shown(std::string_view name);

}  // namespace reloadlab::sim
