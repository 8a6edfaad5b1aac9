#pragma once
// Random trees of layers: every kind of the substrate with most of its keys, layers below layers, tensors that are tied, and
// buffers that are views. Drawn through rapidcheck, so a counterexample shrinks towards the first kind and the smallest sizes.
#include <vector>

#include "reference/model/spec.h"

namespace reloadlab::sim {

// Whether a layer that is quantized is among them in any case.
enum class Quantized { perhaps, some };

// One to four trees, or at most two behind a quantized layer, that so many ranks, one to four, can split. What some checkpoints bring to
// layers that a reload leaves out is not drawn: the engine's word on when those complete is not defined.
std::vector<model::LayerSpec> draw_layers(int ranks, Quantized quantized = Quantized::perhaps);

}  // namespace reloadlab::sim
