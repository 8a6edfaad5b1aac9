#pragma once
// A safetensors file, read by its header. The file is
//
//   offset 0   8 bytes   N, little-endian
//   offset 8   N bytes   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {text: text}}
//   offset 8+N           the tensors' bytes, row-major, back to back; data_offsets count from here
//
// Nothing in the header is believed before it is checked against the file's size: every tensor has the bytes that its shape and
// dtype need, tensors follow each other without overlap or gap, and the last one ends where the file ends. Every error is
// Code::data, "file: offset N: what, expected ...". No LibTorch here.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/scalar.h"
#include "reference/base/status.h"

namespace reloadlab::sim {

struct StoredTensor {
  std::string name;
  std::string type;            // as the file spells it: "F32"
  std::optional<DType> dtype;  // none: a type of the format that scenarios cannot name ("U16", "F4")
  Shape shape;
  uint64_t begin = 0;  // bytes, counted from the start of the file
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  // sorted by name, names unique
  std::map<std::string, std::string> metadata;
  const StoredTensor* find(std::string_view name) const;  // null when there is none
};

// What other readers of the format accept; a longer header is refused before anything is allocated for it.
inline constexpr uint64_t safetensors_header_bytes_max = 100'000'000;

// Fills `out` from `offset` of the file, or says why not.
using ReadAt = std::function<Status(uint64_t offset, std::span<std::byte> out)>;
// `read` is never asked for bytes at or beyond `file_bytes`.
Result<SafetensorsHeader> read_safetensors_header(const std::string& file, uint64_t file_bytes, const ReadAt& read);

// An open file with its header; a tensor's bytes are read when they are asked for. Reading is thread-safe.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::filesystem::path& path);  // a regular file
  SafetensorsFile(SafetensorsFile&& other) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) = delete;
  ~SafetensorsFile();

  const SafetensorsHeader& header() const { return header_; }
  const std::string& path() const { return path_; }
  // REQUIRES a tensor of header() and out.size() == tensor.end - tensor.begin. One pread, whatever the alignment.
  Status read(const StoredTensor& tensor, std::span<std::byte> out) const;

 private:
  SafetensorsFile(std::string path, int descriptor);
  std::string path_;
  int descriptor_;
  SafetensorsHeader header_;
};

}  // namespace reloadlab::sim
