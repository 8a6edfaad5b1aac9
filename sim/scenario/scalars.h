#pragma once
// Plain scalars as values. Nothing is guessed: integers are decimal, truth is true or false, quoted text stays text.
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/scenario/tree.h"

namespace reloadlab::sim {

std::optional<bool> as_boolean(const Node& node);
// 010 is eight to some readers of YAML and ten to others: it is no number here.
bool has_leading_zero(std::string_view text);
std::optional<int64_t> as_integer(const Node& node);
std::optional<double> as_number(const Node& node);  // finite
// Text of a scalar; a plain scalar that reads as a number or truth is text too.
std::optional<std::string_view> as_text(const Node& node);

// For text that stands outside a node, such as a default in the table.
Node plain_scalar(std::string text, Position at = {});

}  // namespace reloadlab::sim
