// What laws of the ring say where there is less to judge than usual: the truth, and that it is nobody's fault.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

constexpr const char* kHardened = "shared_series@hardened";

Evidence ring_played(const std::string& steps, const std::string& candidate = kHardened, const std::string& timing = "",
                     const std::string& before_load = "") {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  const auto cases = parse_scenario(fmt::format(R"(
reloadlab: 1
scenario: ring
about: Four layers.
system: shared_series
world: {{kind: sim, ranks: 3}}
model:
  layers:
    - {{name: "b.{{0..3}}.o", kind: replicated_linear, in: 4, out: 4}}
series:
  - {{name: o, layers: "b.*.o"}}
checkpoints: {{A: {{synthetic: 1}}}}
{}steps:
{}  - load: A
{})",
                                                timing, before_load, steps),
                                    "ring.yaml", options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  auto evidence = replay(cases->front(), *find_candidate(candidate));
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return *std::move(evidence);
}

std::string ring_said(const Evidence& evidence, std::string_view law) {
  const Verdict verdict = find_law(law)->judge(evidence);
  if (verdict.finding) return "fail: " + verdict.finding->what;
  return verdict.outcome == Outcome::pass ? "pass"
                                          : (verdict.outcome == Outcome::unsupported ? "unsupported: " : "inconclusive: ") + verdict.reason;
}

const Execution& ring_warm_of(const Evidence& evidence) { return *evidence.find(Variation::Kind::warm); }
Execution& ring_warm_of(Evidence& evidence) {
  return *std::ranges::find(evidence.executions, Variation::Kind::warm, [](const Execution& each) { return each.variation.kind; });
}

constexpr const char* kFailed = "unsupported: what it would judge failed, or comes after steps that failed";

// The owner of a layer is the only one that knows which of the pass's broadcasts is that layer's.
TEST(RingLookahead, DoesNotCallABroadcastMissingWhoseOwnerIsLost) {
  for (const char* after : {"b.0.o", "b.3.o"})
    for (const char* candidate : {"shared_series@seed", kHardened}) {
      const Evidence evidence = ring_played(fmt::format("  - pass: {{lost: {{rank: 1, after: {}}}}}\n  - pass: {{}}\n", after), candidate);
      EXPECT_EQ(ring_said(evidence, "ring_lookahead"), "pass") << after << candidate;
      EXPECT_NE(ring_said(evidence, "rank_agreement").find("deadlock"), std::string::npos);
    }
}

// Nor where the owner sends what lies elsewhere than the weight; a layer too few is still one too few.
TEST(RingLookahead, CountsBroadcastsOfTensorsThatAreNoLayers) {
  Evidence evidence = ring_played("  - pass: {}\n");
  Execution& warm = ring_warm_of(evidence);
  const int layer = 2;
  for (RankRun& run : warm.ranks)
    for (Event& event : run.events)
      if (event.kind == EventKind::collective && event.step == 1 && event.layer == layer) event.layer = -1;
  EXPECT_EQ(ring_said(evidence, "ring_lookahead"), "pass");
  Evidence none = evidence;
  for (RankRun& run : ring_warm_of(none).ranks)
    for (Event& event : run.events)
      if (event.kind == EventKind::collective) event.layer = -1;
  EXPECT_EQ(ring_said(none, "ring_lookahead"),
            "unsupported: whose weight passes send is not known: it lies where no layer's does, or its owner is lost");
  for (RankRun& run : warm.ranks) {
    int64_t number = 0;
    std::erase_if(run.events,
                  [&](const Event& event) { return event.kind == EventKind::collective && event.step == 1 && number++ == layer - 1; });
  }
  EXPECT_EQ(ring_said(evidence, "ring_lookahead"), "fail: is broadcast 0 times in the pass, expected once");
}

TEST(RingOverwait, KnowsNothingOfPassesBehindGraphs) {
  const char* timing = "timing: {broadcast: 5, before: 1, after: 2}\n";
  const std::string graph = "  - capture: {}\n  - replay: {}\n";
  for (const std::string& before : {graph, std::string("  - pass: {until: b.1.o}\n")})
    EXPECT_EQ(ring_said(ring_played(before + "  - pass: {}\n", kHardened, timing), "ring_overwait"),
              "unsupported: each pass that deviates nowhere comes after a graph or a pass that does, behind which it is not known what is "
              "in flight");
  EXPECT_EQ(ring_said(ring_played(graph + "  - reset: {}\n  - pass: {}\n", kHardened, timing), "ring_overwait"), "pass");
  EXPECT_EQ(ring_said(ring_played("  - pass: {}\n" + graph, kHardened, timing), "ring_overwait"), "pass");
}

// What is captured is issued when it is replayed: nobody lacks it before, and then it is called after the replay.
TEST(RingSequence, CallsWhatAGraphIssuesAfterItsReplay) {
  const std::string capture = "  - capture: {ranks: [1]}\n";
  EXPECT_EQ(ring_said(ring_played(capture), "ring_sequence"), "pass");
  const Evidence evidence = ring_played(capture + "  - replay: {}\n");
  EXPECT_EQ(ring_said(evidence, "ring_sequence"),
            "fail: operation 4 of all is broadcast root 1 of all of 32 bytes (b.1.o (index 1), step 2), on rank 0 it is nothing");
  const std::vector<std::string>& waits = ring_warm_of(evidence).waits;
  const auto of_reach = [](const std::string& wait) { return wait.ends_with("(step 2: replay of step 1: reach b.0.o)"); };
  EXPECT_TRUE(std::ranges::any_of(waits, of_reach)) << fmt::format("{}", fmt::join(waits, "\n"));
}

// Its layers are what their owners captured.
TEST(RingSequence, KnowsTheLayersOfReplayedBroadcasts) {
  Evidence evidence = ring_played("  - capture: {}\n  - replay: {}\n  - replay: {}\n", "shared_series@hardened,binding=static");
  EXPECT_EQ(ring_said(evidence, "ring_sequence"), "pass");
  std::vector<Event>& events = ring_warm_of(evidence).ranks[2].events;
  std::erase_if(events, [](const Event& event) { return event.kind == EventKind::collective && event.step == 3; });
  EXPECT_EQ(ring_said(evidence, "ring_sequence"),
            "fail: operation 8 of all is nothing, on rank 0 it is broadcast root 1 of all of 32 bytes (b.1.o (index 1), step 3)");
}

TEST(RingLaws, SayWhatTheScenarioLacksThatEachOfThemJudges) {
  const Evidence loaded = ring_played("  - host_sync: {}\n"), graph = ring_played("  - capture: {}\n  - replay: {}\n");
  for (const Evidence* evidence : {&loaded, &graph}) {
    EXPECT_EQ(ring_said(*evidence, "ring_content"), "unsupported: it judges passes outside of graphs, and the scenario has none");
    EXPECT_EQ(ring_said(*evidence, "ring_tenancy"), "unsupported: it judges passes outside of graphs, and the scenario has none");
    EXPECT_EQ(ring_said(*evidence, "ring_lookahead"), "unsupported: it judges passes outside of graphs, and the scenario has none");
    EXPECT_EQ(ring_said(*evidence, "ring_memory"), "pass");
  }
  EXPECT_EQ(ring_said(loaded, "ring_happens_before"), "unsupported: it judges what is read, and no step of the scenario reads");
  EXPECT_EQ(ring_said(graph, "ring_happens_before"), "pass");
  EXPECT_EQ(ring_said(graph, "graph_replay"), "pass");
}

// What was seen to race did; where nothing was seen to, and not all was seen, nothing is known.
TEST(RingHappensBefore, IsNoPassWhereAccessesWentUnseen) {
  Evidence evidence = ring_played("  - pass: {}\n");
  EXPECT_EQ(ring_said(evidence, "ring_happens_before"), "pass");
  RankRun& rank = ring_warm_of(evidence).ranks[1];
  rank.unseen = "what a kernel touches was not seen";
  EXPECT_EQ(ring_said(evidence, "ring_happens_before"), "unsupported: rank 1: what a kernel touches was not seen");
  rank.races.push_back({.first = {.stream = "a"}, .second = {.stream = "b"}});
  EXPECT_TRUE(ring_said(evidence, "ring_happens_before").starts_with("fail: 1 pair of accesses that nothing orders"));
}

// What the first load leaves is what the last step's state is held against, wherever it stands.
TEST(NoResidue, BeginsBehindTheFirstLoad) {
  const Evidence evidence = ring_played("  - pass: {}\n  - reload: A\n", kHardened, "", "  - pass: {}\n    outcome: error\n");
  EXPECT_EQ(ring_said(evidence, "no_residue"), "pass");
}

// Also where no series took the reload on any of them.
TEST(RankAgreement, RanksOfTheSameSeriesEndAnAbandonedReloadAlike) {
  Evidence evidence = ring_played("  - reload: A\n    abort_after: 1\n    outcome: unspecified\n");
  EXPECT_EQ(ring_said(evidence, "rank_agreement"), "pass");
  for (StepOutcome& outcome : ring_warm_of(evidence).ranks[1].outcomes)
    if (outcome.step == 1) outcome.status = Status(Code::failed, "x");
  EXPECT_EQ(ring_said(evidence, "rank_agreement"), "fail: x; on rank 0: is ok");
}

// What fails behind everything that a law judges is no reason for it to have judged nothing.
TEST(RingLaws, BlameFailedStepsForWhatComesAfterThemOnly) {
  Evidence evidence = ring_played("  - pass: {}\n  - drain: {}\n");
  Execution& warm = ring_warm_of(evidence);
  for (RankRun& run : warm.ranks) {
    run.reads.clear();
    std::erase_if(run.events, [](const Event& event) { return event.kind == EventKind::read; });
    for (StepOutcome& outcome : run.outcomes)
      if (outcome.step == 2) outcome.status = Status(Code::failed, "x");
  }
  EXPECT_EQ(ring_said(evidence, "ring_tenancy"), "inconclusive: nothing was read");
  for (RankRun& run : warm.ranks)
    for (StepOutcome& outcome : run.outcomes)
      if (outcome.step == 1) outcome.status = Status(Code::failed, "x");
  EXPECT_EQ(ring_said(evidence, "ring_tenancy"), kFailed);
}

}  // namespace
}  // namespace reloadlab::sim
