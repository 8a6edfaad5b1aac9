#include "sim/checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>

#include "reference/base/check.h"
#include "tests/fuzz/readers.h"

namespace reloadlab::tests {

// A file of these bytes. It is never read beyond its end, and every tensor lies in it.
Status read_safetensors(std::string_view bytes) {
  const auto read = [bytes](uint64_t offset, std::span<std::byte> out) -> Status {
    RELOADLAB_CHECK(offset <= bytes.size() && out.size() <= bytes.size() - offset, "read beyond the end");
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return {};
  };
  const auto header = sim::read_safetensors_header("x.safetensors", bytes.size(), read);
  if (!header.ok()) return header.status();
  for (const sim::StoredTensor& tensor : header->tensors) {
    RELOADLAB_CHECK(tensor.begin <= tensor.end && tensor.end <= bytes.size(), tensor.name);
    RELOADLAB_CHECK(header->find(tensor.name) == &tensor, tensor.name);
  }
  return {};
}

}  // namespace reloadlab::tests
