#pragma once
// How updates of a drawn model arrive: orders, chunks, layouts, names that come twice, in part or too often, and where they break off.
#include <string>
#include <vector>

#include "sim/fuzz/swarm.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

// What checkpoints bring to the model, in its order.
std::vector<std::string> names_of(const model::LayerSpec& layer);
std::vector<std::string> names_of(const model::ModelSpec& model);

// Order and transport of a whole checkpoint.
LoadPlan draw_transport(const Case& the_case, const std::string& checkpoint, Drawing& drawing);
// The same with names that come several times, not at all, once more behind everything, or that nobody knows.
LoadPlan draw_plan(const Case& the_case, const std::string& checkpoint, Drawing& drawing);
// Some of the names, not none and not all; empty where there is only one.
std::vector<std::string> draw_some(const std::vector<std::string>& names, Choices& choices);

// How many load calls the plan makes.
int64_t load_calls(const Case& the_case, const LoadPlan& plan);
// A fault that strikes on every rank while a whole checkpoint arrives: in a load call, between two, around post-load steps, in the copy
// back.
Fault draw_fault(const Case& the_case, const LoadPlan& plan, Drawing& drawing);

}  // namespace reloadlab::sim::fuzz
