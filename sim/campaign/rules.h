#pragma once
// What may explain a known failure: the rules of the three systems (LW, OQ, SW) and the known bugs (B, L). Expectation files name
// one of these ids and nothing else, so that a slip of the pen, or a rule that was never written, does not pass for a reason.
#include <span>
#include <string_view>

namespace reloadlab::sim {

// All ids, in the order of the documents that they come from.
std::span<const std::string_view> rule_ids();
bool is_rule(std::string_view id);

}  // namespace reloadlab::sim
