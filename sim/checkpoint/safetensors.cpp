#include "sim/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "sim/checkpoint/json_tree.h"

namespace reloadlab::sim {
namespace {

constexpr uint64_t length_bytes = 8;  // of the header's length, in front of it
constexpr size_t rank_max = 64;

struct StoredType {
  std::string_view name;
  unsigned bits;
  std::optional<DType> dtype;
};

// Every type of the format. Types without a DType are sized and checked like the others.
constexpr std::array stored_types = {
    StoredType{"F64", 64, DType::f64},      StoredType{"F32", 32, DType::f32},      StoredType{"F16", 16, DType::f16},
    StoredType{"BF16", 16, DType::bf16},    StoredType{"F8_E4M3", 8, DType::e4m3},  StoredType{"F8_E5M2", 8, DType::e5m2},
    StoredType{"I64", 64, DType::i64},      StoredType{"I32", 32, DType::i32},      StoredType{"I16", 16, DType::i16},
    StoredType{"I8", 8, DType::i8},         StoredType{"U8", 8, DType::u8},         StoredType{"BOOL", 8, DType::boolean},
    StoredType{"U16", 16, std::nullopt},    StoredType{"U32", 32, std::nullopt},    StoredType{"U64", 64, std::nullopt},
    StoredType{"C64", 64, std::nullopt},    StoredType{"F8_E8M0", 8, std::nullopt}, StoredType{"F6_E2M3", 6, std::nullopt},
    StoredType{"F6_E3M2", 6, std::nullopt}, StoredType{"F4", 4, std::nullopt},
};

const StoredType* find_type(std::string_view name) {
  auto found = std::find_if(stored_types.begin(), stored_types.end(), [&](const StoredType& type) { return type.name == name; });
  return found == stored_types.end() ? nullptr : &*found;
}

// Turns the tree of a header into its tensors, one tensor at a time; what concerns several tensors comes after (check_layout).
class HeaderReader {
 public:
  HeaderReader(Origin origin, uint64_t data_start, uint64_t data_bytes)
      : origin_(std::move(origin)), data_start_(data_start), data_bytes_(data_bytes) {}

  Result<SafetensorsHeader> read(const JsonNode& root) {
    SafetensorsHeader header;
    for (const JsonNode& entry : root.children) {
      if (entry.key == "__metadata__") {
        RELOADLAB_TRY(read_metadata(entry, header));
        continue;
      }
      RELOADLAB_ASSIGN(StoredTensor tensor, read_tensor(entry));
      header.tensors.push_back(std::move(tensor));
    }
    RELOADLAB_TRY(check_layout(header.tensors));
    std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return header;
  }

 private:
  Status read_metadata(const JsonNode& entry, SafetensorsHeader& header) {
    if (entry.kind != JsonNode::Kind::object) return unexpected(entry, "__metadata__ is", "an object of strings");
    for (const JsonNode& item : entry.children) {
      if (item.kind != JsonNode::Kind::text) return unexpected(item, "__metadata__ " + shown(item.key) + " is", "a string");
      header.metadata.emplace(item.key, item.text);
    }
    return {};
  }

  Result<StoredTensor> read_tensor(const JsonNode& entry) {
    what_ = "tensor " + shown(entry.key);
    if (entry.kind != JsonNode::Kind::object) return unexpected(entry, what_ + " is", "an object with dtype, shape and data_offsets");
    for (const JsonNode& member : entry.children) {
      if (member.key != "dtype" && member.key != "shape" && member.key != "data_offsets") {
        return origin_.error(member.key_offset,
                             fmt::format("{} has a key {}, expected dtype, shape and data_offsets only", what_, shown(member.key)));
      }
    }
    StoredTensor tensor{.name = entry.key};
    RELOADLAB_ASSIGN(const StoredType* type, read_type(entry));
    tensor.type = type->name;
    tensor.dtype = type->dtype;
    RELOADLAB_ASSIGN(uint64_t bytes, read_shape(entry, *type, tensor.shape));
    RELOADLAB_TRY(read_offsets(entry, bytes, tensor));
    return tensor;
  }

  Result<const StoredType*> read_type(const JsonNode& entry) {
    RELOADLAB_ASSIGN(const JsonNode* node, member(entry, "dtype", JsonNode::Kind::text));
    if (const StoredType* type = find_type(node->text)) return type;
    return origin_.error(node->offset,
                         fmt::format("{} has dtype {}, expected a dtype of the format such as F32 or BF16", what_, shown(node->text)));
  }

  // The bytes that the shape takes. A dimension of zero makes the tensor empty, but does not excuse the others from fitting.
  Result<uint64_t> read_shape(const JsonNode& entry, const StoredType& type, Shape& shape) {
    RELOADLAB_ASSIGN(const JsonNode* node, member(entry, "shape", JsonNode::Kind::array));
    if (node->children.size() > rank_max) {
      return origin_.error(node->offset, fmt::format("{} has {} dimensions, expected at most {}", what_, node->children.size(), rank_max));
    }
    uint64_t bits = type.bits;
    bool empty = false;
    for (const JsonNode& size : node->children) {
      if (size.kind != JsonNode::Kind::natural || size.number > INT64_MAX)
        return unexpected(size, what_ + " has the dimension", "a natural number below 2^63");
      shape.push_back(static_cast<int64_t>(size.number));
      empty = empty || size.number == 0;
      if (size.number != 0 && __builtin_mul_overflow(bits, size.number, &bits)) {
        return origin_.error(node->offset, fmt::format("{} has a shape whose size overflows, expected less than 2^64 bits", what_));
      }
    }
    if (empty) return uint64_t{0};
    if (bits % 8 != 0) return origin_.error(node->offset, fmt::format("{} takes {} bits, expected whole bytes", what_, bits));
    return bits / 8;
  }

  Status read_offsets(const JsonNode& entry, uint64_t bytes, StoredTensor& tensor) {
    RELOADLAB_ASSIGN(const JsonNode* node, member(entry, "data_offsets", JsonNode::Kind::array));
    if (node->children.size() != 2) {
      return origin_.error(node->offset, fmt::format("{} has {} data_offsets, expected 2: begin and end", what_, node->children.size()));
    }
    for (const JsonNode& offset : node->children)
      if (offset.kind != JsonNode::Kind::natural) return unexpected(offset, what_ + " has the data offset", "a natural number below 2^64");
    uint64_t begin = node->children[0].number, end = node->children[1].number;
    if (begin > end || end > data_bytes_) {
      return origin_.error(node->offset, fmt::format("{} has data_offsets [{}, {}], expected begin <= end <= {} (the file's data bytes)",
                                                     what_, begin, end, data_bytes_));
    }
    if (end - begin != bytes) {
      return origin_.error(node->offset,
                           fmt::format("{} has {} bytes of data, expected {} from its dtype and shape", what_, end - begin, bytes));
    }
    tensor.begin = data_start_ + begin;
    tensor.end = data_start_ + end;
    return {};
  }

  // Tensors lie back to back from the first data byte to the last one.
  Status check_layout(std::vector<StoredTensor>& tensors) const {
    std::sort(tensors.begin(), tensors.end(),
              [](const auto& a, const auto& b) { return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name); });
    uint64_t cursor = data_start_;
    for (const StoredTensor& tensor : tensors) {
      if (tensor.begin != cursor) {
        std::string_view found = tensor.begin < cursor ? "overlaps the tensor before it" : "leaves a gap before it";
        return Status(Code::data, fmt::format("{}: offset {}: tensor {} {}, expected it to begin at offset {}", origin_.file, tensor.begin,
                                              shown(tensor.name), found, cursor));
      }
      cursor = tensor.end;
    }
    uint64_t file_end = data_start_ + data_bytes_;
    if (cursor == file_end) return {};
    return Status(Code::data, fmt::format("{}: offset {}: {} bytes that belong to no tensor, expected the end of the file", origin_.file,
                                          cursor, file_end - cursor));
  }

  Result<const JsonNode*> member(const JsonNode& entry, std::string_view key, JsonNode::Kind kind) {
    const JsonNode* node = entry.member(key);
    if (node == nullptr)
      return origin_.error(entry.offset, fmt::format("{} has no {}, expected dtype, shape and data_offsets", what_, key));
    if (node->kind != kind) return unexpected(*node, fmt::format("{} has {}", what_, key), json_kind_name(kind));
    return node;
  }

  Status unexpected(const JsonNode& node, std::string_view what, std::string_view expected) const {
    return origin_.error(node.offset, fmt::format("{} {}, expected {}", what, describe(node), expected));
  }

  Origin origin_;
  uint64_t data_start_, data_bytes_;
  std::string what_;  // the tensor being read, for messages
};

Result<uint64_t> read_length(const std::string& file, uint64_t file_bytes, const ReadAt& read) {
  Origin origin{file};
  if (file_bytes < length_bytes)
    return origin.error(0, fmt::format("{} bytes in the file, expected at least 8 with the header's length", file_bytes));
  std::array<std::byte, length_bytes> raw;
  RELOADLAB_TRY(read(0, raw));
  uint64_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(raw[i]);
  if (length > safetensors_header_bytes_max)
    return origin.error(0, fmt::format("a header of {} bytes, expected at most {}", length, safetensors_header_bytes_max));
  if (length > file_bytes - length_bytes)
    return origin.error(0, fmt::format("a header of {} bytes, expected at most the {} that follow", length, file_bytes - length_bytes));
  return length;
}

}  // namespace

const StoredTensor* SafetensorsHeader::find(std::string_view name) const {
  auto found = std::lower_bound(tensors.begin(), tensors.end(), name,
                                [](const StoredTensor& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found == tensors.end() || found->name != name ? nullptr : &*found;
}

Result<SafetensorsHeader> read_safetensors_header(const std::string& file, uint64_t file_bytes, const ReadAt& read) {
  RELOADLAB_ASSIGN(uint64_t length, read_length(file, file_bytes, read));
  Origin origin{file, length_bytes};
  std::string json(length, '\0');
  RELOADLAB_TRY(read(length_bytes, std::as_writable_bytes(std::span(json))));
  if (!json.starts_with('{')) return origin.error(0, "a header that is no JSON object, expected \"{\"");
  // header, tensor or metadata, shape or offsets
  RELOADLAB_ASSIGN(JsonNode root, parse_json_tree(json, origin, {.depth_max = 3}));
  uint64_t data_start = length_bytes + length;
  return HeaderReader(std::move(origin), data_start, file_bytes - data_start).read(root);
}

}  // namespace reloadlab::sim
