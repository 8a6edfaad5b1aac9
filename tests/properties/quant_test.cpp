// Quantized models: what a reload leaves equals a cold load that was quantized, bit for bit, whatever arrives how often in which order.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "sim/replay/catalogue.h"
#include "tests/properties/draw.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

bool quantizes(const Case& the_case) {
  return std::ranges::any_of(the_case.model.layers, [](const model::LayerSpec& layer) { return layer.quant != "none"; });
}

// Some names come several times in a row.
void draw_duplicates(const Catalogue& catalogue, LoadPlan& plan) {
  for (const model::Delivery& delivery : catalogue.deliveries())
    if (*rc::gen::inRange(0, 4) == 0) plan.repeat.push_back({delivery.name, *rc::gen::inRange<int64_t>(2, 4)});
}

Case draw_quantized() {
  Case the_case = draw_case();
  if (!quantizes(the_case)) RC_DISCARD("nothing is quantized");
  const Catalogue catalogue(the_case.model);
  for (Step& step : the_case.steps)
    if (step.kind == StepKind::reload) draw_duplicates(catalogue, step.plan);
  return the_case;
}

RC_GTEST_PROP(Quantized, EveryLawHoldsOfOnlineQuantization, ()) {
  Case the_case = draw_quantized();
  the_case.system = "online_quant";
  require_all_hold(run(the_case, "online_quant@hardened"));
}

RC_GTEST_PROP(Quantized, EveryLawHoldsLayerByLayer, ()) { require_all_hold(run(draw_quantized(), "layerwise@hardened")); }

}  // namespace
}  // namespace reloadlab::sim
