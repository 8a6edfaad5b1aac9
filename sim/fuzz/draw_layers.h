#pragma once
// Random trees of layers: every kind of the substrate, layers below layers, tensors that are tied, buffers that are views, layers that read
// what others hold, and quantized ones.
#include <vector>

#include "reference/model/spec.h"
#include "sim/fuzz/swarm.h"

namespace reloadlab::sim::fuzz {

// At least one layer that checkpoints bring something to.
std::vector<model::LayerSpec> draw_layers(Drawing& drawing);

}  // namespace reloadlab::sim::fuzz
