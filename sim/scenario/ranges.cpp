#include "sim/scenario/ranges.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <utility>

namespace reloadlab::sim {
namespace {

struct Range {
  int64_t first = 0, last = 0;
  size_t count() const { return static_cast<size_t>(last > first ? last - first : first - last) + 1; }
};

std::optional<int64_t> number(std::string_view digits) {
  int32_t value = 0;  // 32 bits: a difference of two cannot overflow
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<Range> parse_range(std::string_view inside) {
  const size_t dots = inside.find("..");
  if (dots == inside.npos) return std::nullopt;
  const auto first = number(inside.substr(0, dots)), last = number(inside.substr(dots + 2));
  if (!first || !last) return std::nullopt;
  return Range{*first, *last};
}

// Appends one range's numbers, then the text behind it, to every name so far.
std::vector<Expanded> multiply(const std::vector<Expanded>& names, const Range& range, const std::string& written) {
  std::vector<Expanded> result;
  result.reserve(names.size() * range.count());
  const int64_t step = range.last >= range.first ? 1 : -1;
  for (const Expanded& stem : names) {
    for (int64_t value = range.first; value != range.last + step; value += step) {
      Expanded next = stem;
      next.name += fmt::format("{}", value);
      next.bindings.emplace_back(written, fmt::format("{}", value));
      result.push_back(std::move(next));
    }
  }
  return result;
}

}  // namespace

std::optional<std::vector<Expanded>> expand_ranges(std::string_view pattern, size_t count_max) {
  std::vector<Expanded> names(1);
  while (!pattern.empty()) {
    const size_t open = pattern.find_first_of("{}");
    for (Expanded& name : names) name.name += pattern.substr(0, open);
    if (open == pattern.npos) break;
    const size_t close = pattern.find('}', open);
    if (pattern[open] == '}' || close == pattern.npos) return std::nullopt;
    const std::optional<Range> range = parse_range(pattern.substr(open + 1, close - open - 1));
    if (!range || range->count() > count_max / names.size()) return std::nullopt;
    names = multiply(names, *range, std::string(pattern.substr(open, close + 1 - open)));
    pattern.remove_prefix(close + 1);
  }
  return names;
}

std::string follow(std::string text, const std::vector<std::pair<std::string, std::string>>& bindings) {
  size_t from = 0;
  for (const auto& [range, value] : bindings) {
    const size_t found = text.find(range, from);
    if (found == text.npos) continue;
    text.replace(found, range.size(), value);
    from = found + value.size();
  }
  return text;
}

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?") != pattern.npos; }

bool glob_match(std::string_view pattern, std::string_view name) {
  size_t star = pattern.npos, p = 0, resume = 0;
  for (size_t n = 0; n < name.size();) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

}  // namespace reloadlab::sim
