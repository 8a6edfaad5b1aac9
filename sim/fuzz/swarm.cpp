#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {

Swarm Swarm::draw(Choices& choices, uint32_t kinds_there) {
  Choices::Scope about(choices, About::swarm);
  Swarm swarm;
  uint32_t question = 0;
  for (bool Swarm::*each :
       {&Swarm::quantized, &Swarm::ties,    &Swarm::views,   &Swarm::readers, &Swarm::nested,  &Swarm::duplicates, &Swarm::partial,
        &Swarm::excess,    &Swarm::unknown, &Swarm::buckets, &Swarm::chunks,  &Swarm::layouts, &Swarm::types,      &Swarm::orders,
        &Swarm::batches,   &Swarm::faults,  &Swarm::aborts,  &Swarm::misuse,  &Swarm::sleeps,  &Swarm::forwards,   &Swarm::destroy})
    swarm.*each = choices.weighed_chance(35, question++);
  for (int left = 4; left > 0; --left) swarm.kinds.push_back(choices.weighed_below(kinds_there, question));
  swarm.dummy = choices.weighed_chance(12, ++question);
  swarm.streams = choices.weighed_chance(12, ++question);
  return swarm;
}

}  // namespace reloadlab::sim::fuzz
