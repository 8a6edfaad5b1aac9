#pragma once
// Compares two cases field by field, so that the round-trip test does not rest on emit() itself.
#include <string>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

// The first difference in words; empty when the cases are the same but for the file and its lines.
std::string difference(const Case& a, const Case& b);

}  // namespace reloadlab::sim
