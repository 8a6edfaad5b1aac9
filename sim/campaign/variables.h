#pragma once
// Numbers that the environment says.
#include <map>
#include <optional>
#include <string>

#include "reference/base/status.h"

namespace reloadlab::sim {

using Variables = std::map<std::string, std::string>;

// None: it is no whole number, or not from `least` to `most`.
std::optional<int> whole_number(const std::string& text, int least, int most);
// Code::usage: `missing` where it is not set, or what it is and what was expected.
Result<int> number_in(const Variables& all, const std::string& name, int least, int most, const std::string& missing);

}  // namespace reloadlab::sim
