#pragma once
// Holds one tensor's bytes against what they should be and puts the difference into words.
#include <functional>
#include <optional>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

struct Difference {
  std::string what;   // "bf16 [96, 64]: 2,048 of 6,144 elements differ: rows 32-63"
  std::string first;  // "[32, 0] is nan (poison: never written), should be 1.0859375"
};

// Where the element at a flat index should have come from: ", from B: blocks.0.k_proj.weight [32, 0]", or nothing.
using OriginText = std::function<std::string(int64_t flat)>;

struct Expected {
  const CensusEntry* entry = nullptr;  // shape, dtype, host value
  const Bytes* bytes = nullptr;        // null: nothing is expected of the content
  const Bytes* other = nullptr;        // the same under another poison pattern: where the two differ nothing is expected
  OriginText origin;                   // may be empty
};

// `got` may be null: the name is gone.
std::optional<Difference> compare(const CensusEntry* got, const Expected& expected);

// Content alone; both have the entry's shape and dtype. `is` and `should` frame the two values of the first differing element.
std::optional<Difference> compare_bytes(const CensusEntry& entry, const Bytes& got, const Expected& expected);

// What the address, layout and identity of a tensor say, where it differs: "storage 7 at offset 0, was storage 3 at offset 0".
std::optional<std::string> compare_place(const CensusEntry& now, const CensusEntry& before);

// Bytes that depend on what fresh memory held: the same tensor under both poison patterns.
std::optional<Difference> compare_poison(const CensusEntry& first, const CensusEntry& second);

std::string type_text(const CensusEntry& entry);  // "bf16 [96, 64]"

}  // namespace reloadlab::sim
