#pragma once
// From a checked `load`, `loads` or `reload` to a LoadPlan.
#include "sim/scenario/bind_steps.h"

namespace reloadlab::sim {

// `object` is "load" or "reload"; the node is a map of that object or a checkpoint's name.
LoadPlan bind_delivery(const Node& node, std::string_view object, const StepContext& context, Diagnostics& diagnostics);

// How many loads the step makes when nothing stops it.
int64_t load_calls(const LoadPlan& plan, const DeliveryNames& names);

}  // namespace reloadlab::sim
