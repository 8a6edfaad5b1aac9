#pragma once
// Time that streams lose before they do something, so that what nothing orders comes in another order and can be seen by its bytes. Drawn
// from a seed: the same places in each run.
//
// A run is a row of phases, which a rank's collectives count, so that ranks that send the same are in the same one. In every other phase
// what a rank computes is late, in those between what it is sent: where both were, neither would overtake the other.
#include <cstdint>

#include "reference/base/prng.h"

namespace reloadlab::sim::cuda {

class Delays {
 public:
  // Without collectives there are no phases of these, and operators are late at any time.
  Delays(uint64_t seed, int rank, bool collectives = true)
      : phases_(collectives), first_(mix64(seed) & 1), prng_(Prng(mix64(seed) ^ static_cast<uint64_t>(rank)).split("delays")) {}
  int64_t before_operator() { return is_late(0) ? draw() : 0; }  // microseconds
  int64_t before_collective() {
    const int64_t delay = is_late(1) ? draw() : 0;
    ++collectives_;
    return delay;
  }

 private:
  static constexpr uint64_t phase = 4;  // collectives
  bool is_late(uint64_t which) const { return !phases_ || (collectives_ / phase + first_) % 2 == which; }
  // Longer than a host takes to issue what comes next, and mostly something.
  int64_t draw() {
    constexpr uint64_t nothing_one_in = 4, least = 500, most = 3000;
    return prng_.below(nothing_one_in) == 0 ? 0 : static_cast<int64_t>(least + prng_.below(most - least));
  }
  bool phases_;
  uint64_t first_, collectives_ = 0;
  Prng prng_;
};

}  // namespace reloadlab::sim::cuda
