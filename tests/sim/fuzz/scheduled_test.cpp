// What delays do to a case on modelled devices: races that turns do not show in bytes are shown by other schedules.
#include "sim/campaign/scheduled.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sim/fuzz/draw_kinds.h"
#include "sim/fuzz/observe.h"
#include "sim/law/law.h"
#include "tests/mutants/wrong.h"
#include "tests/sim/fuzz/small_ring.h"

namespace reloadlab::sim::fuzz {
namespace {

const Engine& engine() {
  static const Engine engine = [] {
    mutants::register_mutants();
    return built_in_engine();
  }();
  return engine;
}

// Judged by what ranks read alone: the law of order sees races in any schedule.
Case ring(std::optional<uint64_t> delays, Pass::Stream stream) {
  Case the_case = ring_of_four(1);
  the_case.checkpoints = {{"A", {.seed = 1}}};
  Step pass{.kind = StepKind::pass};
  pass.pass.stream = stream;
  the_case.steps = {{.kind = StepKind::load, .plan = {.checkpoint = "A"}}, pass, pass};
  the_case.laws = {"ring_content"};
  the_case.delays = delays;
  return the_case;
}

bool fails(const std::string& candidate, std::optional<uint64_t> delays) {
  const Observation seen = observe(ring(delays, Pass::Stream::unjoined), candidate, engine());
  EXPECT_EQ(seen.end, End::judged) << seen.reason;
  return !seen.failed.empty();
}

// By schedules of one way alone.
bool fails_by(const Schedules& schedules, const std::string& candidate, const Case& the_case) {
  engine();  // makes mutants known
  const Result<CandidateInfo> info = find_candidate(candidate);
  Result<Evidence> first = info.ok() ? replay(the_case, *info) : info.status();
  EXPECT_TRUE(first.ok()) << first.status().message();
  const Result<Evidence> evidence = play_schedules(the_case, *info, {}, *std::move(first), schedules);
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return std::ranges::any_of(judge(*evidence), [](const Verdict& verdict) { return verdict.outcome == Outcome::fail; });
}

constexpr Schedules kWays[] = {{4, 0, 0}, {0, 4, 0}, {0, 0, 16}};

TEST(Scheduled, EachWayShowsWhatTurnsDoNot) {
  for (const std::string mutant : {"mutant@ring_no_wait", "mutant@ring_other_stream"}) {
    EXPECT_FALSE(fails(mutant, {})) << mutant;
    EXPECT_TRUE(fails(mutant, 3)) << mutant;
    for (const Schedules& way : kWays) EXPECT_TRUE(fails_by(way, mutant, ring(3, Pass::Stream::unjoined))) << mutant << " " << way.random;
  }
}

TEST(Scheduled, OfWhatIsInOrderShowsNothing) {
  for (const uint64_t delays : {3, 4, 5}) EXPECT_FALSE(fails("shared_series@hardened", delays)) << delays;
  for (const Schedules& way : kWays) EXPECT_FALSE(fails_by(way, "shared_series@hardened", ring(3, Pass::Stream::unjoined))) << way.random;
}

// New weights that come on another stream, to a model without series.
Case update(std::optional<uint64_t> delays) {
  Case the_case{.scenario = "updated", .file = "updated.yaml", .about = "An update that comes on another stream.", .system = "layerwise"};
  the_case.world = WorldKind::sim;
  the_case.model.layers = {layer_of("up", "replicated_linear", {{"in", int64_t{8}}, {"out", int64_t{8}}, {"bias", true}})};
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {{.kind = StepKind::load, .plan = {.checkpoint = "A"}},
                    {.kind = StepKind::reload, .plan = {.checkpoint = "B", .source = LoadPlan::Source::stream}}};
  the_case.laws = {"cold_load_equal"};
  the_case.delays = delays;
  return the_case;
}

// Only their own execution is played again.
TEST(Scheduled, UpdatesOnAnotherStreamHaveSchedulesToo) {
  std::map<std::string, int> played;
  const ReplayOptions options{.on_step = [&](const Variation& variation, int, int step) { played[variation.label()] += step < 0; }};
  const Result<CandidateInfo> info = find_candidate("layerwise@hardened");
  Case the_case = update(3);
  the_case.laws = {"cold_load_equal", "order_free"};
  Result<Evidence> first = replay(the_case, *info, options);
  const std::map<std::string, int> before = played;
  EXPECT_GT(before.size(), 3u);
  const Result<Evidence> evidence = play_schedules(the_case, *info, options, *std::move(first), {3, 2, 1});
  EXPECT_EQ(evidence->executions.size(), before.size());
  for (const auto& [label, times] : played) EXPECT_EQ(times, before.at(label) + (label == "warm" ? 3 + 2 + 1 : 0)) << label;
  EXPECT_TRUE(fails_by({}, "mutant@lw_copies_aside", update(3)));
}

// What is reported is the schedule that broke the law, with the case as it was written.
TEST(Scheduled, TheEvidenceIsOfTheScheduleThatBreaksALaw) {
  const Result<Evidence> evidence = engine().replay(ring(3, Pass::Stream::unjoined), "mutant@ring_no_wait", {});
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(evidence->the_case.delays, 3);
  const auto verdicts = engine().judge(*evidence);
  EXPECT_TRUE(std::ranges::any_of(verdicts, [](const Verdict& verdict) { return verdict.outcome == Outcome::fail; }));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
