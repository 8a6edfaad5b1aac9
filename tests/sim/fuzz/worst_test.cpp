#include "sim/fuzz/worst.h"

#include <gtest/gtest.h>

#include "reference/model/kind.h"
#include "sim/campaign/engine.h"
#include "sim/fuzz/draw_kinds.h"
#include "sim/scenario/scenario.h"
#include "tests/sim/fuzz/small_ring.h"

namespace reloadlab::sim::fuzz {
namespace {

const Engine& worst_engine() {
  static const Engine worst_engine = built_in_engine();
  return worst_engine;
}

Case small_model() {
  Case the_case{.scenario = "small", .file = "small.yaml", .about = "Small.", .system = "layerwise"};
  the_case.model.layers = {layer_of("a", "replicated_linear", {{"in", int64_t{4}}, {"out", int64_t{4}}, {"bias", true}}),
                           layer_of("b", "replicated_linear", {{"in", int64_t{8}}, {"out", int64_t{4}}, {"bias", true}}),
                           layer_of("c", "norm", {{"hidden", int64_t{16}}})};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  return the_case;
}

Case small_ring() {
  Case the_case = ring_of_four(2);
  the_case.timing = Timing{.broadcast = 100, .before = {1}, .after = {2}};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  return the_case;
}

Worst searched(const Case& of, const std::string& name, const std::string& candidate, int64_t cases) {
  const Result<Worst> worst = search_worst(of, **find_objective(name), {.candidate = candidate, .cases = cases}, worst_engine(), {});
  EXPECT_TRUE(worst.ok()) << worst.status().message();
  return *worst;
}

// The formula's, which the law of memory judges by, of every order of the five tensors in every chunk.
int64_t formula_most() {
  int64_t most = 0;
  for (uint32_t chunk = 0; chunk < 4; ++chunk)
    for (uint32_t order = 0; order < 120; ++order) {
      std::vector<uint32_t> answers{chunk};
      for (uint32_t count = 5, left = order; count > 1; left /= count--) answers.push_back(left % count);
      Choices choices(Answers{answers});
      const Result<Evidence> evidence = worst_engine().replay(draw_worse(small_model(), choices), "layerwise@hardened", {});
      for (const RankPlan::Peak& peak : evidence->plan.front().peaks) most = std::max(most, peak.extra_bytes);
    }
  return most;
}

TEST(Worst, PeakOfASmallModelIsTheFormulasMost) {
  const Worst worst = searched(small_model(), "peak_bytes", "layerwise@hardened", 400);
  EXPECT_EQ(worst.value, formula_most());
  EXPECT_GT(worst.found, 0);  // not by the first order that was drawn
}

// A layer's tensors may be the first and the last of all that come; or come one after the other, where there is no other order.
TEST(Worst, StepsToCompletionAreAllLoadCallsOfTheUpdate) {
  EXPECT_EQ(searched(small_model(), "steps_to_completion", "layerwise@hardened", 60).value, 5);
  Case one_layer = small_model();
  one_layer.model.layers.resize(1);
  EXPECT_EQ(searched(one_layer, "steps_to_completion", "layerwise@hardened", 8).value, 2);
  one_layer.model.layers = {small_model().model.layers.back(), small_model().model.layers.front()};
  one_layer.model.layers.back().values["bias"] = false;
  EXPECT_EQ(searched(one_layer, "steps_to_completion", "layerwise@hardened", 8).value, 1);
}

TEST(Worst, StepsToCompletionAreOfUpdatesOfModelsWithoutSeries) {
  const auto refused = search_worst(small_ring(), **find_objective("steps_to_completion"),
                                    {.candidate = "shared_series@hardened", .cases = 1}, worst_engine(), {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::data);
}

// Where broadcasts take longer than all else, the last layer of a pass is there when all of the pass have been sent one after the other,
// and then its compute is left: no pass can begin with more to wait for than that.
TEST(Worst, ExposedWaitOfARingIsTheFormulas) {
  const Case ring = small_ring();
  const auto layers = static_cast<int64_t>(ring.series[0].layers.size());
  const int64_t nanoseconds =
      layers * ring.timing->broadcast + ring.timing->after[0] - layers * (ring.timing->before[0] + ring.timing->after[0]);
  const Worst worst = searched(ring, "exposed_wait", "shared_series@hardened", 150);
  EXPECT_EQ(worst.value, nanoseconds * 1000);
}

TEST(Worst, IsTheSameOfTheSameSeed) {
  const auto once = [] { return emit(searched(small_model(), "peak_bytes", "layerwise@hardened", 12).the_case); };
  EXPECT_EQ(once(), once());
}

TEST(Worst, NamesTheNearestObjective) {
  const auto unknown = find_objective("peak_byte");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), Code::usage);
  EXPECT_NE(unknown.status().message().find("peak_bytes"), std::string::npos) << unknown.status().message();
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
