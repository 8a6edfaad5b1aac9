#pragma once
// One layer of any kind of the substrate, with most of the kind's keys, in sizes that the number of ranks divides.
#include <span>
#include <string>
#include <string_view>

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

// A first load that calls no loader does not say what checkpoints bring, and what they never bring (padding, a tied head's bias, buffers)
// is taken for missing: whether the kind has nothing of that sort.
bool brings_all_it_has(std::string_view kind);
// A drawn one of these, by any number.
uint32_t one_that_brings_all(uint32_t number);

Values draw_vocabulary(Drawing& drawing);
model::LayerSpec layer_of(std::string name, std::string kind, Values values);

}  // namespace reloadlab::sim::fuzz
