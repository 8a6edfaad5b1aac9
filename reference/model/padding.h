#pragma once
// Padding: elements that no loader writes. A layer that has some fills them when it is made, and declares with what.
#include <optional>

#include "reference/model/layer.h"

namespace reloadlab::model {

inline constexpr const char* pad_attribute = "pad_value";

// Nothing where the parameter declares none.
inline std::optional<double> declared_padding(const Parameter& parameter) {
  const auto value = parameter.attributes.find(pad_attribute);
  return value == parameter.attributes.end() ? std::nullopt : std::optional(std::get<double>(value->second));
}

}  // namespace reloadlab::model
