#pragma once
// Names that stand for several: ranges "blocks.{0..3}.qkv" and globs "blocks.*.weight".
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reloadlab::sim {

// One name of an expanded pattern, with what each range of the pattern stood for: {"{0..3}" → "2"}.
struct Expanded {
  std::string name;
  std::vector<std::pair<std::string, std::string>> bindings;
};

// Every name that the pattern's ranges make, the last range counting fastest; the pattern itself when it has none. Bounds are
// inclusive and may count down. An empty optional: a brace that is no range, or more than `count_max` names.
std::optional<std::vector<Expanded>> expand_ranges(std::string_view pattern, size_t count_max);

// The text with each range that also stands in the bindings replaced by its number.
std::string follow(std::string text, const std::vector<std::pair<std::string, std::string>>& bindings);

// '*' matches any characters, '?' one.
bool is_glob(std::string_view pattern);
bool glob_match(std::string_view pattern, std::string_view name);

}  // namespace reloadlab::sim
