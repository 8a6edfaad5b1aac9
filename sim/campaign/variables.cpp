#include "sim/campaign/variables.h"

#include <fmt/format.h>

#include <charconv>

namespace reloadlab::sim {

std::optional<int> whole_number(const std::string& text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= least && value <= most ? std::optional(value) : std::nullopt;
}

Result<int> number_in(const Variables& all, const std::string& name, int least, int most, const std::string& missing) {
  const auto found = all.find(name);
  if (found == all.end()) return Status(Code::usage, missing);
  if (const auto value = whole_number(found->second, least, most)) return *value;
  return Status(Code::usage, fmt::format("{}=\"{}\", expected a number from {} to {}", name, found->second, least, most));
}

}  // namespace reloadlab::sim
