#pragma once
// What happens to a drawn ring: passes in several ways, new weights between them, graphs, drains, and what must be refused.
#include "sim/fuzz/choices.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// What takes part in a ring at all.
struct Ring {
  bool others = false, quantized = false, streams = false, stops = false, strays = false, reloads = false, in_place = false, syncs = false,
       readers = false, timed = false, some_ranks = false, kinds = false, drains = false, graphs = false, wrong = false, layerwise = false;
  // What every rank has to refuse as the first load ends.
  enum class Refused { nothing, shapes, look_ahead, indices, part } refused = Refused::nothing;

  static Ring draw(Choices& choices);
};

// Steps and checkpoints of the case, whose model and series are there.
void draw_passes(Case& the_case, const Ring& ring, Choices& choices);

}  // namespace reloadlab::sim::fuzz
