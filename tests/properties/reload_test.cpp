// What must hold for every model, order and transport. A failing property prints its shrunk case as a scenario file.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "reference/model/kind.h"
#include "tests/properties/draw.h"

namespace reloadlab::sim {
namespace {

// Elements counted towards progress, by step and layer, as the candidate reports them.
std::map<std::pair<int, int>, int64_t> counted(const RankRun& run) {
  std::map<std::pair<int, int>, int64_t> sums;
  for (const Event& event : run.events)
    if (event.kind == EventKind::load_counted) sums[{event.step, event.layer}] += event.numel;
  return sums;
}

std::map<std::pair<int, int>, int64_t> planned(const Evidence& evidence, int rank) {
  std::map<std::pair<int, int>, int64_t> sums;
  for (const PlannedLoad& load : evidence.plan[static_cast<size_t>(rank)].loads) {
    const auto layer = std::find(evidence.layers.begin(), evidence.layers.end(), load.layer) - evidence.layers.begin();
    if (!load.placements.empty()) sums[{load.step, static_cast<int>(layer)}] += load.fresh;
  }
  return sums;
}

// cold_load_equal, return_exact, order_free, written_once, address_stable and the others, on whatever was drawn.
RC_GTEST_PROP(Reload, EveryLawHolds, ()) { require_all_hold(run(draw_case())); }

RC_GTEST_PROP(Reload, AccountingEqualsAnIndependentCountInAnyOrder, ()) {
  const Evidence evidence = run(draw_case());
  for (int rank = 0; rank < evidence.the_case.ranks; ++rank)
    for (const auto& [key, elements] : planned(evidence, rank)) {
      const auto seen = counted(warm(evidence, rank));
      const auto found = seen.find(key);
      RC_ASSERT((found == seen.end() ? 0 : found->second) == elements);
    }
}

RC_GTEST_PROP(Reload, APrefixThatIsAbandonedLeavesTheOldModel, ()) {
  Case the_case = draw_case();
  the_case.laws = {"failure_atomic"};
  the_case.steps.resize(2);
  the_case.steps[1].abort_after = *rc::gen::inRange<int64_t>(0, 10);
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    const RankRun& seen = warm(evidence, rank);
    RC_ASSERT(seen.outcomes.back().status.ok());
    RC_ASSERT(same(seen.censuses[1], seen.censuses[2]));
  }
  require_all_hold(evidence);
}

// Calls out of order, each after a load and followed by a whole reload that must still work.
RC_GTEST_PROP(Reload, MisuseIsRefusedAndChangesNothing, ()) {
  Case the_case = draw_case();
  the_case.laws = {"cold_load_equal", "address_stable", "no_residue"};
  const Step whole = the_case.steps[1];
  const Step prepare{.kind = StepKind::prepare}, finish{.kind = StepKind::finish}, abort{.kind = StepKind::abort};
  Step loads{.kind = StepKind::loads, .plan = whole.plan};
  const std::vector<std::vector<Step>> wrongs = {{finish}, {loads}, {prepare, prepare, abort}, {whole, finish}, {whole, loads}};
  const size_t which = *rc::gen::inRange<size_t>(0, wrongs.size());
  the_case.steps.resize(1);
  for (const Step& step : wrongs[which]) the_case.steps.push_back(step);
  const size_t refused = which == 2 ? 2 : the_case.steps.size() - 1;
  the_case.steps[refused].outcome = Step::Outcome::error;
  the_case.steps.push_back(whole);
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < the_case.ranks; ++rank) {
    const RankRun& seen = warm(evidence, rank);
    RC_ASSERT(seen.outcomes[refused + 1].status.code() == Code::misuse);
    RC_ASSERT(same(seen.censuses[refused], seen.censuses[refused + 1]));
    RC_ASSERT(seen.outcomes.back().status.ok());
  }
  require_all_hold(evidence);
}

// All orders of a small model, not a sample of them: two layers, six loads, 720 orders.
TEST(Reload, EveryOrderOfSixLoadsGivesTheSameBytes) {
  Case the_case{.scenario = "orders", .system = "layerwise"};
  model::LayerSpec qkv{.name = "a.qkv", .kind = "qkv_parallel_linear"}, composed{.name = "b", .kind = "composed"};
  qkv.values = {{"hidden", int64_t{4}}, {"heads", int64_t{2}}, {"kv_heads", int64_t{1}}};
  composed.values = {{"size", int64_t{4}}};
  for (model::LayerSpec* spec : {&qkv, &composed}) model::fill_defaults(*spec);
  the_case.model.layers = {qkv, composed};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  Step load{.kind = StepKind::load};
  load.plan.checkpoint = "A";
  the_case.steps = {load, reload_with({.checkpoint = "B"})};
  the_case.laws = {"event_order"};
  std::vector<std::string> names;
  for (const model::Delivery& delivery : run(the_case).deliveries) names.push_back(delivery.name);
  ASSERT_EQ(names.size(), 6U);
  std::sort(names.begin(), names.end());
  std::optional<Census> first;
  int orders = 0;
  do {
    the_case.steps[1].plan.order = OrderKind::explicit_list;
    the_case.steps[1].plan.order_list = names;
    const Census census = warm(run(the_case), 0).censuses.back();
    if (!first) first = census;
    ASSERT_TRUE(same(*first, census));
    ++orders;
  } while (std::next_permutation(names.begin(), names.end()));
  EXPECT_EQ(orders, 720);
}

}  // namespace
}  // namespace reloadlab::sim
