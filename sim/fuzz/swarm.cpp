#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {

Swarm Swarm::draw(Choices& choices, uint32_t kinds_there) {
  Choices::Scope about(choices, About::swarm);
  Swarm swarm;
  for (bool Swarm::*each :
       {&Swarm::quantized, &Swarm::ties,    &Swarm::views,   &Swarm::readers, &Swarm::nested,  &Swarm::duplicates, &Swarm::partial,
        &Swarm::excess,    &Swarm::unknown, &Swarm::buckets, &Swarm::chunks,  &Swarm::layouts, &Swarm::types,      &Swarm::orders,
        &Swarm::batches,   &Swarm::faults,  &Swarm::aborts,  &Swarm::misuse,  &Swarm::sleeps,  &Swarm::forwards,   &Swarm::destroy})
    swarm.*each = choices.chance(35);
  for (int left = 4; left > 0; --left) swarm.kinds.push_back(choices.below(kinds_there));
  return swarm;
}

}  // namespace reloadlab::sim::fuzz
