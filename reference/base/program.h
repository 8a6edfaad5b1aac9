#pragma once
// The program that this process runs, for whoever starts it once more: as a worker, or as a process that holds memory.
#include <string>
#include <vector>

namespace reloadlab {

// Its file, unless somebody hosts it and has said how: {"python3", "-m", "reloadlab"}.
std::vector<std::string> this_program();
void hosted_by(std::vector<std::string> command);

}  // namespace reloadlab
