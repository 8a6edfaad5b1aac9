// An update that is abandoned, or that breaks off by itself, leaves the model of before, whatever it is made of and wherever that happens,
// and the next one is as the first.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/properties/draw.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

// Step 1 is the one that comes to nothing.
void require_old_model(const Evidence& evidence) {
  for (int rank = 0; rank < evidence.the_case.ranks; ++rank) {
    const RankRun& seen = warm(evidence, rank);
    require(evidence, same(seen.censuses[1], seen.censuses[2]), 1, fmt::format("rank {} is not the model of before", rank));
  }
  require_all_hold(evidence);
}

void require_abort(Case the_case, const std::string& candidate) {
  the_case.laws = {"failure_atomic", "no_residue"};
  the_case.steps[1].abort_after = draw_abort(the_case, the_case.steps[1].plan);
  the_case.steps[2] = {.kind = StepKind::retry};
  const Evidence evidence = run(the_case, candidate);
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    const Status& status = warm(evidence, rank).outcomes[2].status;
    require(evidence, status.ok(), 1, status.message());
  }
  require_old_model(evidence);
}

void require_recovery(Case the_case, const std::string& candidate) {
  the_case.laws = {"failure_atomic", "no_residue"};
  the_case.steps[1].fault = draw_fault(the_case, the_case.steps[1].plan);
  the_case.steps[1].outcome = Step::Outcome::error;
  the_case.steps[2] = {.kind = StepKind::retry};
  require_old_model(run(the_case, candidate));
}

Case draw_online_quant() {
  Case the_case = draw_case(Quantized::some);
  the_case.system = "online_quant";
  return the_case;
}

RC_GTEST_PROP(Abandoned, LeavesTheOldModel, ()) { require_abort(draw_case(), "layerwise@hardened"); }
RC_GTEST_PROP(Abandoned, LeavesTheOldModelOfOnlineQuantization, ()) { require_abort(draw_online_quant(), "online_quant@hardened"); }
RC_GTEST_PROP(Abandoned, LeavesTheOldModelOfWhichSomeHasLanded, ()) { require_abort(draw_case(), "layerwise@hardened,landing=direct"); }
RC_GTEST_PROP(Broken, LeavesTheOldModelOfWhichSomeHasLanded, ()) { require_recovery(draw_case(), "layerwise@hardened,landing=direct"); }
RC_GTEST_PROP(Broken, LeavesTheOldModel, ()) { require_recovery(draw_case(), "layerwise@hardened"); }
RC_GTEST_PROP(Broken, LeavesTheOldModelOfOnlineQuantization, ()) { require_recovery(draw_online_quant(), "online_quant@hardened"); }

}  // namespace
}  // namespace reloadlab::sim
