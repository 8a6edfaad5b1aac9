#pragma once
// One layer of any kind of the substrate, with most of the kind's keys, in sizes that the number of ranks divides.
#include <span>
#include <string>

#include "reference/model/kind.h"
#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {

struct DrawnKind {
  const char* id;
  Values (*draw)(Drawing& drawing);
  bool in_bytes = false;  // its weights are, and come with scales
};
// The simplest first.
std::span<const DrawnKind> drawn_kinds();

Values draw_vocabulary(Drawing& drawing);
model::LayerSpec layer_of(std::string name, std::string kind, Values values);

}  // namespace reloadlab::sim::fuzz
