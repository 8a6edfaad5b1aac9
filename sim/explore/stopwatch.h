#pragma once
// Seconds since it was made, for limits: how far an exploration comes may depend on the machine, what it finds on the way does not.
#include <chrono>

namespace reloadlab::sim::explore {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace reloadlab::sim::explore
