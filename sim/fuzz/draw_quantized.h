#pragma once
// Layers of the sizes that quantization methods want: whole tiles, groups and blocks on each rank.
#include <vector>

#include "reference/model/kind.h"
#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {

// The methods that are no defects and leave names to load, `none` not among them.
const std::vector<const model::QuantInfo*>& sound_methods();
// Not where a slot of the layer shares another one's tensor: a step that replaces it would end that.
bool suits(const model::QuantInfo& method, const model::LayerSpec& spec, int ranks);

// A layer of a sound method, and of a kind that holds it; where the method takes ties, some have another one of their kind tied to them.
void draw_quantized(std::vector<model::LayerSpec>& layers, const std::string& name, Drawing& drawing);

}  // namespace reloadlab::sim::fuzz
