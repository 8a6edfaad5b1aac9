// Quantized models: what a reload leaves equals a cold load that was quantized, bit for bit, whatever arrives how often in which order.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sim/law/memory_bound.h"
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

// Not less and not more, as long as nothing fails, and nothing is left that a later update frees.
RC_GTEST_PROP(Quantized, AWholeModelAtOnceTakesWhatItsFormulaSays, ()) {
  Case the_case = draw_quantized_case();
  the_case.system = "online_quant";
  the_case.laws = {"memory_bound"};
  const std::string ties = *rc::gen::element<std::string>("first", "all");
  const Evidence evidence = run(the_case, "online_quant@seed,callables=kept,restored=dropped,ties=" + ties);
  for (const RankRun& rank : evidence.find(Variation::Kind::warm)->ranks)
    for (const StepOutcome& outcome : rank.outcomes)
      if (!outcome.status.ok() || outcome.extra_bytes_after > 0) RC_DISCARD("the seed fails on it, or keeps something");
  for (const PeakPair& pair : memory_peaks(evidence))
    require(evidence, pair.seen == pair.planned, pair.update.last,
            fmt::format("rank {} took {} extra bytes of {}", pair.rank, pair.seen, pair.planned));
}

}  // namespace
}  // namespace reloadlab::sim
