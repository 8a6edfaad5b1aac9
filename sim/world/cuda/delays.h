#pragma once
// Time that streams lose before they do something, so that what nothing orders comes in another order and can be seen by its bytes.
// Drawn from a seed, for the n-th operator and the n-th collective of a run: the same places in each run.
#include <cstdint>

#include "reference/base/prng.h"

namespace reloadlab::sim::cuda {

class Delays {
 public:
  Delays(uint64_t seed, int rank) : operators_(of("operators", seed, rank)), collectives_(of("collectives", seed, rank)) {}
  int64_t before_operator() { return draw(operators_); }  // microseconds
  int64_t before_collective() { return draw(collectives_); }

 private:
  static Prng of(std::string_view what, uint64_t seed, int rank) { return Prng(mix64(seed) ^ static_cast<uint64_t>(rank)).split(what); }
  // Mostly nothing, or streams would all be late alike; else longer than a host takes to issue a pass.
  static int64_t draw(Prng& prng) {
    constexpr uint64_t one_in = 3, longest = 4000;
    return prng.below(one_in) == 0 ? static_cast<int64_t>(1 + prng.below(longest)) : 0;
  }
  Prng operators_, collectives_;
};

}  // namespace reloadlab::sim::cuda
