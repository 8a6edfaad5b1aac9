#pragma once
// What takes part in a case at all. Each case draws that first: where everything may happen, everything happens a little in each case, and
// what needs much of one thing and nothing of another is never seen (swarm testing).
#include <string>
#include <vector>

#include "sim/fuzz/choices.h"

namespace reloadlab::sim::fuzz {

struct Swarm {
  bool quantized = false, ties = false, views = false, readers = false, nested = false;                    // layers
  bool duplicates = false, partial = false, excess = false, unknown = false, buckets = false;              // what updates bring
  bool chunks = false, layouts = false, types = false, orders = false, batches = false;                    // how it arrives
  bool faults = false, aborts = false, misuse = false, sleeps = false, forwards = false, destroy = false;  // what happens
  bool streams = false;         // some updates come on a stream of the transport's own
  bool dummy = false;           // the model starts from weights that no loader brought
  std::vector<uint32_t> kinds;  // of plain layers; places in the table of draw_kinds.h

  static Swarm draw(Choices& choices, uint32_t kinds_there);
};

// What all draws of a case share. Sizes are multiples of `unit`, which the number of ranks divides.
struct Drawing {
  Choices& choices;
  Swarm swarm;
  int ranks = 1;
  int64_t unit = 4;
  bool quantizes = false;  // some layer is, in any case

  int64_t size() {
    Choices::Scope about(choices, About::size);
    return unit * choices.between(1, 3);
  }
  int64_t small(int64_t least, int64_t most) {
    Choices::Scope about(choices, About::size);
    return choices.between(least, most);
  }
  bool flip() {
    Choices::Scope about(choices, About::parameter);
    return choices.flip();
  }
  std::string word(std::initializer_list<const char*> words) {
    Choices::Scope about(choices, About::parameter);
    return choices.pick(words);
  }
  // A loader that cuts shards or leaves padding cannot be the default one.
  std::string cutting_loader() { return word({"bound", "free"}); }
};

}  // namespace reloadlab::sim::fuzz
