#pragma once
// Four layers on two ranks, without checkpoints and steps.
#include "sim/fuzz/draw_kinds.h"
#include "sim/scenario/case.h"

namespace reloadlab::sim::fuzz {

inline Case ring_of_four(int64_t prefetch) {
  Case the_case{
      .scenario = "ring", .file = "ring.yaml", .about = "A ring.", .system = "shared_series", .world = WorldKind::sim, .ranks = 2};
  the_case.tensor_parallel = 1;
  SeriesSpec series{.name = "o", .prefetch = prefetch};
  for (const char* name : {"a", "b", "c", "d"}) {
    the_case.model.layers.push_back(layer_of(name, "replicated_linear", {{"in", int64_t{4}}, {"out", int64_t{4}}}));
    series.layers.emplace_back(name);
  }
  the_case.series = {series};
  return the_case;
}

}  // namespace reloadlab::sim::fuzz
