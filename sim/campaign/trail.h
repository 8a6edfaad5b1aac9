#pragma once
// What a rank does, written down as it does it: lines in a file of shared memory that the campaign holds too, so that they are still there
// when the process was killed. A line is whole or the last one.
#include <string>
#include <string_view>
#include <vector>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

// The rank's side; the file is the campaign's.
class TrailWriter {
 public:
  explicit TrailWriter(int file) : file_(file) {}
  void restart();  // another case begins
  void add(std::string_view execution, const Event& event);

 private:
  int file_;
};

// A file without a name, -1 where there is none to be had.
int open_trail();
std::string read_trail(int file);
// The events of the execution, for evidence without reads: those of them are left out, since what they read is gone. What is no line of a
// trail ends it: a candidate may have written there.
std::vector<Event> trail_events(std::string_view text, std::string_view execution);

}  // namespace reloadlab::sim
