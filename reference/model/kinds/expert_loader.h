#pragma once
// What the constructor of a layer of kind fused_experts makes, and the loader of its stacks, with the arithmetic that engines have in
// them; expert_stacks.h and expert_places.h work the same out in closed form, and neither uses the other.
#include "reference/model/layer.h"

namespace reloadlab::model {

void add_stacks(const LayerPtr& layer);
// What engines keep beside the weights of experts that are dealt out, in 32-bit integers; reload code leaves it alone by name.
void add_tables(Layer& layer);

}  // namespace reloadlab::model
