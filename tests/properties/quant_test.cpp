// Quantized models: what a reload leaves equals a cold load that was quantized, bit for bit, whatever arrives how often in which order.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/properties/draw.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

Case draw_quantized_case() {
  Case the_case = draw_case(Quantized::some);
  for (Step& step : the_case.steps)
    if (step.kind == StepKind::reload) draw_duplicates(the_case, step.plan);
  return the_case;
}

std::string draw_policies(const std::string& profile) { return *rc::gen::element(profile, profile + ",shadow=keep"); }

RC_GTEST_PROP(Quantized, EveryLawHoldsOfOnlineQuantization, ()) {
  Case the_case = draw_quantized_case();
  the_case.system = "online_quant";
  require_all_hold(run(the_case, draw_policies("online_quant@hardened")));
}

RC_GTEST_PROP(Quantized, EveryLawHoldsLayerByLayer, ()) {
  require_all_hold(run(draw_quantized_case(), draw_policies("layerwise@hardened")));
}

}  // namespace
}  // namespace reloadlab::sim
