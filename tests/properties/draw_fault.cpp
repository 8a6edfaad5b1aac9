#include <rapidcheck.h>

#include "sim/fuzz/fault_places.h"
#include "tests/properties/draw.h"

namespace reloadlab::sim {

Fault draw_fault(const Case& the_case, const LoadPlan& plan) {
  const std::vector<std::pair<Fault::At, int64_t>> places = fuzz::fault_places(the_case, load_calls(the_case, plan));
  const auto [at, most] = places[*rc::gen::inRange<size_t>(0, places.size())];
  return {.at = at, .nth = *rc::gen::inRange<int64_t>(0, most)};
}

}  // namespace reloadlab::sim
