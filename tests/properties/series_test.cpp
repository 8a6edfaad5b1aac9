// Rings of any size under any schedule: what the hardened series promises holds, wherever a pass stops and whenever weights change.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "reference/model/kind.h"
#include "sim/replay/replay.h"
#include "sim/world/modelled/modelled_world.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

model::LayerSpec linear(const std::string& name, const std::string& quant) {
  model::LayerSpec spec{.name = name, .kind = "replicated_linear", .dtype = DType::f32, .quant = quant};
  model::fill_defaults(spec);
  spec.values["in"] = spec.values["out"] = int64_t{4};
  return spec;
}

// Layers of a series, some with others between them.
Case draw_ring() {
  Case the_case{
      .scenario = "drawn-ring", .file = "drawn.yaml", .about = "A drawn ring.", .system = "shared_series", .world = WorldKind::sim};
  the_case.ranks = *rc::gen::inRange(1, 6);
  the_case.tensor_parallel = 1;
  const auto count = *rc::gen::inRange<int64_t>(1, 9);
  SeriesSpec series{.name = "o", .first = *rc::gen::element<int64_t>(0, 1, count - 1, count, 31)};
  series.prefetch = *rc::gen::inRange<int64_t>(0, std::max<int64_t>(1, count - 1));
  const std::string quant = *rc::gen::element<std::string>("none", "fp8_per_tensor");
  const bool others = *rc::gen::arbitrary<bool>();
  for (int64_t i = 0; i < count; ++i) {
    if (others) the_case.model.layers.push_back(linear(fmt::format("b.{}.up", i), "none"));
    series.layers.push_back(fmt::format("b.{}.o", i));
    the_case.model.layers.push_back(linear(series.layers.back(), quant));
  }
  the_case.series = {series};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {{.kind = StepKind::load, .plan = {.checkpoint = "A"}}};
  return the_case;
}

Step pass() {
  Step step{.kind = StepKind::pass};
  step.pass.stream = *rc::gen::element(Pass::Stream::current, Pass::Stream::joined, Pass::Stream::unjoined);
  return step;
}

void add_passes(Case& the_case) {
  for (int left = *rc::gen::inRange(1, 4); left > 0; --left) the_case.steps.push_back(pass());
}

Step reload_of(const Case& the_case, const std::string& checkpoint) {
  Step step{.kind = StepKind::reload, .plan = {.checkpoint = checkpoint}, .in_place = *rc::gen::arbitrary<bool>()};
  for (const std::string& layer : the_case.series[0].layers) step.plan.only.push_back(layer + ".weight");
  return step;
}

// The same case, in the order that the seed draws.
Evidence run_scheduled(const Case& the_case, const std::string& candidate) {
  const auto seed = *rc::gen::inRange<uint64_t>(0, 1000);
  const Result<CandidateInfo> info = find_candidate(candidate);
  RC_ASSERT(info.ok());
  ReplayOptions options;
  options.make_world = [&](const WorldRequest& request) -> Result<std::unique_ptr<World>> {
    if (request.kind != WorldKind::sim) return make_world(request);
    return std::unique_ptr<World>(std::make_unique<modelled::ModelledWorld>(request, modelled::random_choices(seed)));
  };
  Result<Evidence> evidence = replay(the_case, *info, options);
  if (!evidence.ok()) RC_FAIL(evidence.status().message());
  return *std::move(evidence);
}

std::string draw_binding() { return *rc::gen::element<std::string>("shared_series@hardened", "shared_series@hardened,binding=static"); }

RC_GTEST_PROP(Ring, KeepsItsLawsUnderAnySchedule, ()) {
  Case the_case = draw_ring();
  add_passes(the_case);
  require_all_hold(run_scheduled(the_case, draw_binding()));
}

RC_GTEST_PROP(Ring, TakesNewWeightsBetweenAnyTwoPasses, ()) {
  Case the_case = draw_ring();
  add_passes(the_case);
  the_case.steps.push_back(reload_of(the_case, "B"));
  add_passes(the_case);
  the_case.steps.push_back(reload_of(the_case, "A"));
  add_passes(the_case);
  require_all_hold(run_scheduled(the_case, draw_binding()));
}

RC_GTEST_PROP(Ring, BeginsAnewWhereverAPassStopped, ()) {
  Case the_case = draw_ring();
  add_passes(the_case);
  the_case.steps.push_back(pass());
  the_case.steps.back().pass.deviations = {{Deviation::until, *rc::gen::elementOf(the_case.series[0].layers)}};
  the_case.steps.push_back({.kind = StepKind::reset});
  add_passes(the_case);
  require_all_hold(run_scheduled(the_case, draw_binding()));
}

// What is refused is refused on every rank, before anything is issued, and forgotten after a reset.
RC_GTEST_PROP(Ring, RefusesWhateverIsOutOfOrder, ()) {
  Case the_case = draw_ring();
  const std::vector<std::string>& layers = the_case.series[0].layers;
  const auto at = *rc::gen::inRange<size_t>(0, layers.size());
  const Deviation deviation = *rc::gen::element(Deviation::skip, Deviation::reach_twice, Deviation::swap, Deviation::unreached);
  const bool last = at + 1 == layers.size();
  if (deviation == Deviation::swap && last) RC_DISCARD("nothing follows it");
  if (layers.size() == 1 && deviation != Deviation::skip) RC_DISCARD("the layer is next again, and stays where it is");
  add_passes(the_case);
  the_case.steps.push_back({.kind = StepKind::pass});
  the_case.steps.back().pass.deviations = {{deviation, layers[at]}};
  // A pass without its last layer is only found out by the next one.
  the_case.steps.back().outcome = deviation == Deviation::skip && last ? Step::Outcome::ok : Step::Outcome::error;
  the_case.steps.push_back({.kind = StepKind::reset});
  add_passes(the_case);
  require_all_hold(run_scheduled(the_case, draw_binding()));
}

// SW3: owners that are written in place leave ((s + k) mod L) (n - 1) stale reads under the seed, and every assertion is silent.
RC_GTEST_PROP(Ring, OfTheSeedReadsWhatOwnersHadBefore, ()) {
  Case the_case = draw_ring();
  the_case.series[0].first = 0;
  for (model::LayerSpec& layer : the_case.model.layers) layer.quant = "none";  // small integers may be alike in two checkpoints
  if (the_case.series[0].layers.size() == 1) RC_DISCARD("one layer fails its second pass");
  the_case.steps.push_back({.kind = StepKind::pass});
  the_case.steps.push_back({.kind = StepKind::host_sync});
  the_case.steps.push_back({.kind = StepKind::update_owner, .plan = {.checkpoint = "B"}});
  the_case.steps.push_back({.kind = StepKind::pass});
  const Evidence evidence = run_scheduled(the_case, "shared_series@seed");
  int64_t stale = 0;
  for (const RankRun& rank : evidence.find(Variation::Kind::warm)->ranks)
    for (const RankRun::Read& read : rank.reads) {
      const CensusEntry* old = evidence.find(Variation::Kind::cold, "A")
                                   ->ranks[0]
                                   .censuses.back()
                                   .find(evidence.layers[static_cast<size_t>(read.layer)] + "." + read.slot);
      stale += read.step == 4 && read.slot == "weight" && old->content->fingerprint == read.content->fingerprint;
    }
  require(evidence, stale == the_case.series[0].prefetch * (the_case.ranks - 1), 4, fmt::format("{} reads are stale", stale));
}

}  // namespace
}  // namespace reloadlab::sim
