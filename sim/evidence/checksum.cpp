#include "sim/evidence/checksum.h"

#include <cstring>

namespace reloadlab::sim {
namespace {

template <class Integer>
int64_t sum(std::span<const std::byte> bytes) {
  uint64_t total = 0;
  for (size_t i = 0; i < bytes.size() / sizeof(Integer); ++i) {
    Integer element;
    std::memcpy(&element, bytes.data() + i * sizeof(Integer), sizeof(Integer));
    const uint64_t factor = (i * static_cast<uint64_t>(checksum_scale) + static_cast<uint64_t>(checksum_shift)) | 1;
    total += factor * static_cast<uint64_t>(static_cast<int64_t>(element));
  }
  return static_cast<int64_t>(total);
}

}  // namespace

int64_t checksum(std::span<const std::byte> bytes, size_t width) {
  switch (width) {
    case 1:
      return sum<int8_t>(bytes);
    case 2:
      return sum<int16_t>(bytes);
    case 4:
      return sum<int32_t>(bytes);
    default:
      return sum<int64_t>(bytes);
  }
}

}  // namespace reloadlab::sim
