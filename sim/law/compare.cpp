#include "sim/law/compare.h"

#include <fmt/format.h>

#include <cstring>

#include "sim/evidence/values.h"

namespace reloadlab::sim {
namespace {

size_t as_size(int64_t index) { return static_cast<size_t>(index); }

// Flat indices of elements that differ, those aside that differ between `expected` and `other`.
std::vector<int64_t> differing(const Bytes& got, const Bytes& want, const Bytes* other, int64_t size) {
  std::vector<int64_t> flats;
  if (got == want) return flats;
  for (size_t byte = 0; byte + as_size(size) <= want.size(); byte += as_size(size)) {
    if (std::memcmp(&got[byte], &want[byte], as_size(size)) == 0) continue;
    if (other && std::memcmp(&(*other)[byte], &want[byte], as_size(size)) != 0) continue;
    flats.push_back(static_cast<int64_t>(byte) / size);
  }
  return flats;
}

std::string told_value(DType dtype, const std::byte* element) {
  const std::string text = value_text(dtype, element);
  return looks_poisoned(dtype, element) ? text + " (poison: never written)" : text;
}

std::string raw_text(const std::byte* element, int64_t size) {
  std::string text = "0x";
  for (int64_t byte = size; byte-- > 0;) text += fmt::format("{:02x}", std::to_integer<int>(element[byte]));
  return text;
}

std::string count_of(const CensusEntry& entry, const std::vector<int64_t>& flats, std::string_view verb) {
  return fmt::format("{}: {} of {} elements {}: {}", type_text(entry), count_text(static_cast<int64_t>(flats.size())),
                     count_text(numel(entry.shape)), verb, extent_text(entry.shape, flats));
}

std::string place_text(const Shape& shape, int64_t flat) { return list_text(unflatten(shape, flat)); }

bool is_empty_slot(const CensusEntry& entry) {
  return entry.kind == CensusEntry::Kind::empty_parameter || entry.kind == CensusEntry::Kind::empty_buffer;
}

}  // namespace

std::string type_text(const CensusEntry& entry) { return fmt::format("{} {}", dtype_name(entry.dtype), list_text(entry.shape)); }

std::optional<Difference> compare_bytes(const CensusEntry& entry, const Bytes& got, const Expected& expected) {
  const Bytes& want = *expected.bytes;
  const int64_t size = dtype_size(entry.dtype);
  const Bytes* other = expected.other && expected.other->size() == want.size() ? expected.other : nullptr;
  if (got.size() != want.size()) return Difference{fmt::format("{} bytes, should be {}", got.size(), want.size()), {}};
  const std::vector<int64_t> flats = differing(got, want, other, size);
  if (flats.empty()) return std::nullopt;
  const int64_t flat = flats.front();
  const std::byte* is = &got[as_size(flat * size)];
  const std::byte* should = &want[as_size(flat * size)];
  std::string is_text = told_value(entry.dtype, is), should_text = value_text(entry.dtype, should);
  if (is_text == should_text) is_text = raw_text(is, size), should_text = raw_text(should, size);
  const std::string origin = expected.origin ? expected.origin(flat) : std::string();
  return Difference{count_of(entry, flats, "differ"),
                    fmt::format("{} is {}, should be {}{}", place_text(entry.shape, flat), is_text, should_text, origin)};
}

std::optional<Difference> compare(const CensusEntry* got, const Expected& expected) {
  const CensusEntry& want = *expected.entry;
  if (is_empty_slot(want)) {
    if (got && !is_empty_slot(*got)) return Difference{"holds a tensor, should be an empty slot", {}};
    return std::nullopt;
  }
  if (!got) return Difference{"is gone", {}};
  if (want.kind == CensusEntry::Kind::extra_host) {
    const bool same = std::memcmp(&got->host, &want.host, sizeof want.host) == 0;
    return same ? std::nullopt
                : std::optional(Difference{"the host value differs", fmt::format("is {}, should be {}", got->host, want.host)});
  }
  if (is_empty_slot(*got)) return Difference{"is an empty slot, should be " + type_text(want), {}};
  if (got->on_meta && !want.on_meta) return Difference{"is on meta: it has no values", {}};
  if (got->shape != want.shape || got->dtype != want.dtype)
    return Difference{fmt::format("is {}, should be {}", type_text(*got), type_text(want)), {}};
  if (!expected.bytes || !got->content || &got->content->bytes == expected.bytes) return std::nullopt;
  return compare_bytes(*got, got->content->bytes, expected);
}

std::optional<std::string> compare_place(const CensusEntry& now, const CensusEntry& before) {
  if (now.storage != before.storage || now.offset != before.offset) {
    const auto place = [](const CensusEntry& entry) {
      return entry.on_meta ? std::string("meta") : fmt::format("storage {} at offset {}", entry.storage, entry.offset);
    };
    return fmt::format("is {}, was {}", place(now), place(before));
  }
  if (now.shape != before.shape || now.dtype != before.dtype) return fmt::format("is {}, was {}", type_text(now), type_text(before));
  if (now.strides != before.strides) return fmt::format("has strides {}, had {}", list_text(now.strides), list_text(before.strides));
  return std::nullopt;
}

std::optional<Difference> compare_poison(const CensusEntry& first, const CensusEntry& second) {
  if (!first.content || !second.content || first.content->fingerprint == second.content->fingerprint) return std::nullopt;
  const Bytes &one = first.content->bytes, &two = second.content->bytes;
  const int64_t size = dtype_size(first.dtype);
  if (one.size() != two.size()) return Difference{"has another size when fresh memory is poisoned differently", {}};
  const std::vector<int64_t> flats = differing(one, two, nullptr, size);
  if (flats.empty()) return std::nullopt;
  const int64_t byte = flats.front() * size;
  return Difference{count_of(first, flats, "are uninitialized"),
                    fmt::format("{} is {} or {}, by what fresh memory held", place_text(first.shape, flats.front()),
                                raw_text(&one[as_size(byte)], size), raw_text(&two[as_size(byte)], size))};
}

}  // namespace reloadlab::sim
