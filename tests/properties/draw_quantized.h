#pragma once
// Layers of the sizes that quantization methods want: whole tiles, groups and blocks on each rank.
#include <vector>

#include "reference/model/kind.h"

namespace reloadlab::sim {

// The methods that are no defects, `none` not among them.
std::vector<const model::QuantInfo*> sound_methods();
// Not where a slot of the layer shares another one's tensor: a step that replaces it would end that.
bool suits(const model::QuantInfo& method, const model::LayerSpec& spec, int ranks);

// A layer of a sound method, each as likely as the other, and of a kind that holds it; where the method takes ties, some have another one
// of their kind tied to them.
void draw_quantized(std::vector<model::LayerSpec>& layers, const std::string& name, int ranks);

}  // namespace reloadlab::sim
