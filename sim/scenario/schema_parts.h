#pragma once
// The table of keys is written in two files; here the one finds the rows of the other.
#include "sim/scenario/schema.h"

namespace reloadlab::sim {

std::vector<Key> step_keys();
std::vector<Key> delivery_keys();
std::vector<Key> verdict_keys();
std::vector<std::string> dtype_names();

}  // namespace reloadlab::sim
