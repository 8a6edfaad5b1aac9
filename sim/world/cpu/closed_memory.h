#pragma once
// Addresses at which memory of another process was mapped and is no more. Whoever touches them would be killed, and the harness with it: a
// handler of SIGSEGV puts poison there instead and remembers it, so that it is found, and told by name.
#include <cstddef>
#include <string>

namespace reloadlab::sim {

// Takes the pages away; the addresses stay taken until release_closed_memory(). `what` lay there.
void close_memory(void* begin, size_t bytes, const std::string& what);
void release_closed_memory(void* begin, size_t bytes);
// What was touched since the last call: the first of it; empty: nothing.
std::string touched_closed_memory();

}  // namespace reloadlab::sim
