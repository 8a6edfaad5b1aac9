#pragma once
// For tables of a hundred thousand names that are looked up and never walked: the order that they are in must not show in any result.
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace reloadlab {

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
};

template <class Value>
using unordered_names = std::unordered_map<std::string, Value, NameHash, std::equal_to<>>;

}  // namespace reloadlab
