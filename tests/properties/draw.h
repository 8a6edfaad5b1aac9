#pragma once
// Random orders and transports of random models (draw_layers.h), as cases. Everything is drawn through rapidcheck, so a
// counterexample shrinks; what a property prints about it is a scenario file (hold.h).
#include <string>

#include "sim/scenario/case.h"
#include "tests/properties/draw_layers.h"

namespace reloadlab::sim {

// A load of A, a reload to B and one back to A, at one to four ranks, each in any order, any chunking, and in any layout and element
// type that the model's loaders take.
Case draw_case(Quantized quantized = Quantized::perhaps);
LoadPlan draw_plan(const std::string& checkpoint);
// The element type and the layout in which the plan's tensors arrive.
void draw_arrival(LoadPlan& plan);
// Some names come several times in a row.
void draw_duplicates(const Case& the_case, LoadPlan& plan);
int64_t load_calls(const Case& the_case, const LoadPlan& plan);
// After how many load calls of the plan it is abandoned: none, any number of them, or all.
int64_t draw_abort(const Case& the_case, const LoadPlan& plan);
// A fault that strikes on every rank: in a load call, between two, around post-load steps, or in the copy back.
Fault draw_fault(const Case& the_case, const LoadPlan& plan);
// One update that two checkpoints are delivered to, each a part.
std::vector<Step> draw_two_sources(const Case& the_case, const std::string& one, const std::string& other);
Step load_of(const std::string& checkpoint);
Step reload_with(LoadPlan plan);

}  // namespace reloadlab::sim
