#pragma once
#include <string>

namespace reloadlab::sim {

// What a rank is about while it issues something. The numbers stand in the text as well, for people.
struct About {
  std::string text;  // "step 2: reach blocks.3.o_proj"
  int step = -1;     // of the execution; -1: none
  int model = 0;     // among those of the rank
};

}  // namespace reloadlab::sim
