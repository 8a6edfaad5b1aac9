#pragma once
// Which answers to the swarm's questions still bring news. What takes part in a case is drawn by how often it brought something that no
// case had shown (a shape, a probe, a cause), so that a campaign turns to what it has not yet used up. The same cases played in the same
// order give the same weights, so that a campaign still follows from its seed; a token holds the answers, and needs none.
#include <cstdint>
#include <map>
#include <span>

#include "sim/fuzz/choices.h"

namespace reloadlab::sim::fuzz {

class Novelty {
 public:
  // A case with these choices was played; `news`: it showed something new.
  void note(std::span<const Choice> taken, bool news);

  // How much likelier than at first the answer is to be drawn, in sixteenths: 16 at first, from 8 for what brings nothing to 64.
  uint32_t weight(uint32_t question, uint32_t answer) const;

 private:
  struct Tally {
    int64_t cases = 0, news = 0;
  };
  std::map<std::pair<uint32_t, uint32_t>, Tally> answers_;
  Tally all_;
};

}  // namespace reloadlab::sim::fuzz
