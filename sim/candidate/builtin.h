#pragma once
// The engines that come with reloadlab. builtin.cpp is the only file of sim/ that names them.
#include <map>
#include <set>
#include <string>

namespace reloadlab::sim {

// Registers every built-in family. Called once, by the registry.
void register_builtin_candidates();
// Policies of all of them, by name, and what each may be.
std::map<std::string, std::set<std::string>> builtin_policies();

}  // namespace reloadlab::sim
