#pragma once
// The table of keys is written in several files; here the first finds the rows of the others.
#include "sim/scenario/schema.h"

namespace reloadlab::sim {

std::vector<Key> step_keys();
std::vector<Key> delivery_keys();
std::vector<Key> verdict_keys();
std::vector<Key> series_keys();
std::vector<Key> pass_keys();
std::vector<Key> graph_keys();
std::vector<std::string> dtype_names();

}  // namespace reloadlab::sim
