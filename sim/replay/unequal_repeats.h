#pragma once
// Several deliveries may have one place, as the shapes of q, k and v of a packed projection have. Where they are equal any order of them
// gives the same; a file may have unequal ones, and then what a load leaves is a matter of its order, as in the engines themselves.
#include <vector>

#include "sim/checkpoint/checkpoint.h"
#include "sim/replay/catalogue.h"

namespace reloadlab::sim {

// Layers, by index and ascending, with deliveries that have one place and different values in the checkpoint.
Result<std::vector<int>> layers_with_unequal_repeats(const Catalogue& catalogue, const Checkpoint& checkpoint);

// Code::data where a step would bring such a layer its tensors in another order than the model lists them: a cold load, which does not,
// says nothing of it.
Status check_listed_order(const Catalogue& catalogue, const std::vector<int>& layers, const LoadPlan& plan, int step);

}  // namespace reloadlab::sim
