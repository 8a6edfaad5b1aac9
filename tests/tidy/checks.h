#pragma once
// What the tree must be like. Each check gives its complaints as "path:line: what, use what instead"; none means that it holds.
// The tables that say what is allowed stand at the top of each check's file.
#include "tests/tidy/tree.h"

namespace reloadlab::tidy {

using Complaints = std::vector<std::string>;

Complaints check_arrows(const Tree& tree);          // a folder includes what the house's arrows allow (arrows.cpp)
Complaints check_arrows_told(const Tree& tree);     // sim/README.md tells the same arrows
Complaints check_tensor_free(const Tree& tree);     // what must know nothing of LibTorch includes none of it, also not through others
Complaints check_readmes(const Tree& tree);         // a folder says in a screen what it is (registration.cpp)
Complaints check_registration(const Tree& tree);    // every source and every folder is in a CMakeLists.txt
Complaints check_scenarios(const Tree& tree);       // every scenario is registered, every expectation is a scenario's (scenarios.cpp)
Complaints check_release_tables(const Tree& tree);  // what is stored of releases tells every scenario of their systems
Complaints check_dead_headers(const Tree& tree);    // every header is included by something (dead.cpp)
Complaints check_dead_files(const Tree& tree);      // scripts, modules and data of tests are named by what uses them
Complaints check_words(const Tree& tree);           // no unfinished business, no enemy of replay (words.cpp)
Complaints check_sizes(const Tree& tree);           // short files, short lines

}  // namespace reloadlab::tidy
