#pragma once
// The engines that come with reloadlab. builtin.cpp is the only file of sim/ that names them.
namespace reloadlab::sim {

// Registers every built-in family. Called once, by the registry.
void register_builtin_candidates();

}  // namespace reloadlab::sim
