// What must hold for every model, order and transport. A failing property prints its shrunk case as a scenario file.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sim/scenario/scenario.h"
#include "tests/properties/draw.h"
#include "tests/properties/hold.h"
#include "tests/sim/scenario/same_case.h"

namespace reloadlab::sim {
namespace {

// A mixture of what two sources delivered, in any order and transport, is what a cold load of both gives.
RC_GTEST_PROP(Reload, EveryLawHoldsForTwoSources, ()) {
  Case the_case = draw_case();
  the_case.checkpoints.push_back({"C", {.seed = 3}});
  the_case.steps.resize(1);
  for (Step& step : draw_two_sources(the_case, "B", "C")) the_case.steps.push_back(std::move(step));
  the_case.steps.push_back(reload_with(draw_plan("A")));
  require_all_hold(run(the_case));
}

// cold_load_equal, return_exact, order_free, written_once, address_stable and the others, on whatever was drawn.
RC_GTEST_PROP(Reload, EveryLawHolds, ()) { require_all_hold(run(draw_case())); }

// However loads reach the kernel tensors.
RC_GTEST_PROP(Reload, EveryLawHoldsForLoadsThatLandAtOnce, ()) { require_all_hold(run(draw_case(), "layerwise@hardened,landing=direct")); }
RC_GTEST_PROP(Reload, EveryLawHoldsForLoadsThatAreGathered, ()) {
  require_all_hold(run(draw_case(), "layerwise@hardened,landing=direct,gather=everywhere"));
}
RC_GTEST_PROP(Reload, EveryLawHoldsWithoutABackup, ()) { require_all_hold(run(draw_case(), "layerwise@hardened,abort=unusable")); }
RC_GTEST_PROP(Reload, EveryLawHoldsForMaterializedLayers, ()) {
  require_all_hold(run(draw_case(), "layerwise@hardened,landing=materialized"));
}

// One wrong call after the load, and how many steps come before it.
struct Misuse {
  std::vector<Step> steps;
  size_t wrong;
};

Misuse draw_misuse(const Step& whole) {
  const Step prepare{.kind = StepKind::prepare}, finish{.kind = StepKind::finish}, abort{.kind = StepKind::abort};
  const Step loads{.kind = StepKind::loads, .plan = whole.plan};
  const std::vector<Misuse> all = {{{finish}, 0}, {{loads}, 0}, {{prepare, prepare, abort}, 1}, {{whole, finish}, 1}, {{whole, loads}, 1}};
  return all[*rc::gen::inRange<size_t>(0, all.size())];
}

// Calls out of order, followed by a whole reload that must still work.
RC_GTEST_PROP(Reload, MisuseIsRefusedAndChangesNothing, ()) {
  Case the_case = draw_case();
  the_case.laws = {"cold_load_equal", "address_stable", "no_residue"};
  const Step whole = the_case.steps[1];
  const Misuse misuse = draw_misuse(whole);
  const size_t refused = misuse.wrong + 1;
  the_case.steps.resize(1);
  the_case.steps.insert(the_case.steps.end(), misuse.steps.begin(), misuse.steps.end());
  the_case.steps[refused].outcome = Step::Outcome::error;
  the_case.steps.push_back(whole);
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    const RankRun& seen = warm(evidence, rank);
    const int step = static_cast<int>(refused);
    require(evidence, seen.outcomes[refused + 1].status.code() == Code::misuse, step, "is not refused as misuse");
    require(evidence, same(seen.censuses[refused], seen.censuses[refused + 1]), step, fmt::format("changes the model of rank {}", rank));
    require(evidence, seen.outcomes.back().status.ok(), step + 1, seen.outcomes.back().status.message());
  }
  require_all_hold(evidence);
}

// What a counterexample prints can be saved and run.
RC_GTEST_PROP(Reload, EveryDrawnCaseIsAScenarioFile, ()) {
  Case the_case = draw_case();
  the_case.steps[1].abort_after = draw_abort(the_case, the_case.steps[1].plan);
  const auto read = parse_scenario(emit(the_case), "drawn.yaml", {});
  if (!read.ok()) RC_FAIL(read.status().message());
  RC_ASSERT(read->size() == 1U);
  RC_ASSERT(difference(the_case, read->front()) == "");
}

}  // namespace
}  // namespace reloadlab::sim
