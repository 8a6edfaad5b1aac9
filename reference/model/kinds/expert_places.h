#pragma once
// Closed-form arithmetic of where the experts of a layer of kind fused_experts are. The constructor and the loader do not use it.
//
// A replica is an expert's copy: replica r is of expert r mod experts. A physical place is one of all ranks', rank after rank.
#include <vector>

#include "reference/model/spec.h"

namespace reloadlab::model {

// The rank's places, counted from its own first one, that hold the expert.
std::vector<int64_t> places_on_rank(const LayerSpec& spec, int64_t expert, TensorParallel tp);
// Where an expert's matrix, or what stands beside it, lands in the rank's stacks.
std::vector<Placement> place_expert(const LayerSpec& spec, const Delivery& delivery, TensorParallel tp);
// The tables of a layer whose experts are dealt out.
void append_table_slots(const LayerSpec& spec, TensorParallel tp, std::vector<SlotSpec>& slots);

}  // namespace reloadlab::model
