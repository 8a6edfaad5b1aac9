#pragma once
// What `list` says: the cases that scenario files expand into, in file order.
#include <span>
#include <string>

#include "sim/scenario/case.h"

namespace reloadlab::sim {

// One line per case: id, world, ranks, steps, tags; then what the scenario is for.
std::string list_text(std::span<const Case> cases);
// {"reloadlab": 1, "kind": "list", "cases": [{case, scenario, variant, file, about, system, world, ranks, tags, laws, steps}]}
std::string list_json(std::span<const Case> cases);

}  // namespace reloadlab::sim
