// What passes over alike layers take has a closed form: N layer steps from the start take N (max(P, Tb) + Q) without look-ahead, and
// max(N (P + Q), (N - k) Tb + Q) with a look-ahead of k.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/law/law.h"
#include "sim/replay/replay.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

constexpr int64_t layers = 7, before = 10, after = 30;

Case only_case(const std::string& text) {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  auto cases = parse_scenario(text, "ring.yaml", options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  return cases->front();
}

Case ring(int64_t prefetch, int64_t broadcast) {
  return only_case(fmt::format(R"(
reloadlab: 1
scenario: ring
about: Layers that are alike.
system: shared_series
world: {{kind: sim, ranks: 3}}
model:
  layers:
    - {{name: "b.{{0..{}}}.o", kind: replicated_linear, in: 4, out: 4}}
series:
  - {{name: o, layers: "b.*.o", prefetch: {}}}
timing: {{broadcast: {}, before: {}, after: {}}}
checkpoints: {{A: {{synthetic: 1}}}}
steps:
  - load: A
  - pass: {{}}
  - pass: {{}}
  - pass: {{}}
)",
                               layers - 1, prefetch, broadcast, before, after));
}

// Four layers each, all of a's before all of b's, a look-ahead of 2, and broadcasts of 100.
constexpr const char* kOneSeries = "series: [{name: a, layers: 'a.*.p', prefetch: 2}]\n";
constexpr const char* kOneGroup = "series: [{name: a, layers: 'a.*.p', prefetch: 2}, {name: b, layers: 'b.*.p', prefetch: 2}]\n";
constexpr const char* kTwoGroups = "series: [{name: a, layers: 'a.*.p', prefetch: 2}, {name: b, layers: 'b.*.p', prefetch: 2, group: g}]\n";

Case rings(const std::string& series, const std::string& steps, const std::string& collectives = "nccl") {
  return only_case(fmt::format(R"(
reloadlab: 1
scenario: rings
about: Windows that are filled again before the pass begins.
system: shared_series
world: {{kind: sim, ranks: 2, collectives: {}}}
model:
  layers:
    - {{name: "a.{{0..3}}.p", kind: replicated_linear, in: 4, out: 4}}
    - {{name: "b.{{0..3}}.p", kind: replicated_linear, in: 4, out: 4}}
{}timing: {{broadcast: 100, before: {}, after: {}}}
checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}
steps:
  - load: A
{}  - pass: {{}}
)",
                               collectives, series, before, after, steps));
}

Evidence timed_played(const Case& the_case, const std::string& candidate = "shared_series@hardened") {
  auto evidence = replay(the_case, *find_candidate(candidate));
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return *std::move(evidence);
}

std::string said(const Evidence& evidence) {
  const Verdict verdict = find_law("ring_overwait")->judge(evidence);
  if (verdict.finding) return verdict.finding->what;
  return verdict.outcome == Outcome::pass ? "pass" : verdict.reason;
}

// What the last pass takes, model by model.
std::vector<int64_t> last_pass(const Evidence& evidence) {
  std::vector<int64_t> times;
  for (const Execution& execution : evidence.executions)
    if (execution.variation.kind == Variation::Kind::warm)
      times.push_back((execution.ranks[1].paces.back().end - execution.ranks[1].paces.back().begin) / 1000);
  return times;
}

RankRun::Pace& last_pace(Evidence& evidence) {
  const auto warm = [](const Execution& each) { return each.variation.kind == Variation::Kind::warm; };
  return std::ranges::find_if(evidence.executions, warm)->ranks[1].paces.back();
}

int64_t closed_form(int64_t steps, int64_t prefetch, int64_t broadcast) {
  if (prefetch == 0) return steps * (std::max(before, broadcast) + after);
  return std::max(steps * (before + after), (steps - prefetch) * broadcast + after);
}

TEST(PassTimes, AreTheClosedForms) {
  for (const char* candidate : {"shared_series@seed", "shared_series@hardened"})
    for (int64_t prefetch = 0; prefetch <= 3; ++prefetch)
      for (const int64_t broadcast : {5, 39, 40, 41, 100}) {
        const auto evidence = replay(ring(prefetch, broadcast), *find_candidate(candidate));
        ASSERT_TRUE(evidence.ok()) << evidence.status().message();
        const RankRun& run = evidence->find(Variation::Kind::warm)->ranks[1];
        ASSERT_EQ(run.paces.size(), 3u);
        for (int64_t pass = 1; pass <= 3; ++pass)
          EXPECT_EQ(run.paces[static_cast<size_t>(pass) - 1].end - run.paces[0].begin,
                    1000 * closed_form(pass * layers, prefetch, broadcast))
              << candidate << ", k = " << prefetch << ", Tb = " << broadcast << ", pass " << pass;
      }
}

// Two groups, a reset: the first pass takes 460, when the second half of b's broadcasts is in flight till 630. At 460 a is drained and
// filled again, [460, 660]; at 630 b is, [630, 830]; and the pass goes on from there. a ends at 890: its layers 2 and 3, asked for at 630
// and 670, are there at 760 and 860. b ends at 1120. One group: 800 where it was 630, and everything is in one row: till 1830.
// Reloads from a checkpoint drain both, and then it takes four broadcasts until a is filled, and four more until b is.
// Two models are two groups. That a pass begins when it should is what the law says.
TEST(PassTimes, AreThoseOfSeveralSeriesAndModelsThatFillTheirWindowsAgain) {
  const struct {
    std::string series, between;
    std::vector<int64_t> times;
  } table[] = {
      {kTwoGroups, "reset: {}", {490}},
      {kOneGroup, "reset: {}", {1030}},
      {kTwoGroups, "reload: {to: B}", {460}},
      {kOneGroup, "reload: {to: B}", {830}},
      {std::string(kOneSeries) + "models: 2\n", "reset: {}", {260, 230}},
      {std::string(kOneSeries) + "models: 2\n", "reload: {to: B, in_place: true}", {260, 230}},
      {std::string(kOneSeries) + "models: 2\n", "reload: {to: B}", {230, 230}},
  };
  for (const auto& [series, between, times] : table)
    for (const char* candidate : {"shared_series@hardened", "shared_series@hardened,binding=static"}) {
      Evidence evidence = timed_played(rings(series, "  - pass: {}\n  - " + between + "\n"), candidate);
      const std::string about = fmt::format("{}, {}, {}", candidate, series, between);
      EXPECT_EQ(said(evidence), "pass") << about;
      if (std::string_view(candidate) == "shared_series@hardened") {
        EXPECT_EQ(last_pass(evidence), times) << about;
      }
      ++last_pace(evidence).end;
      EXPECT_NE(said(evidence).find("something waits for more than it needs, by 1 ps"), std::string::npos) << about;
    }
}

// The load is L broadcasts of each series; a reload is as many, and what is in flight before it comes first.
TEST(PassTimes, BeginWhenWhatComesBeforeThemHasEnded) {
  for (const auto& [steps, begin] : {std::pair<std::string, int64_t>{"", 800},
                                     {"  - reset: {}\n", 800},
                                     {"  - drain: {}\n", 800},
                                     {"  - reload: {to: B}\n", 1600},
                                     {"  - reset: {}\n  - reload: {to: B, in_place: true}\n", 1000},
                                     {"  - pass: {}\n  - host_sync: {}\n", 800 + 630}}) {
    Evidence evidence = timed_played(rings(kTwoGroups, steps));
    EXPECT_EQ(said(evidence), "pass") << steps;
    EXPECT_EQ(last_pace(evidence).begin, 1000 * begin) << steps;
    last_pace(evidence).begin += 1;
    EXPECT_EQ(said(evidence), fmt::format("the pass begins at {} ps, expected {} ps: what comes before it waits for more than it needs",
                                          1000 * begin + 1, 1000 * begin));
  }
}

// A reset drains and fills series by series: behind a graph it takes a wait for everything to know when.
TEST(PassTimes, AreKnownBehindAGraphWhereAllSeriesAreFilledAtOneTime) {
  constexpr const char* kUnknown =
      "each pass that deviates nowhere comes after a graph or a pass that does, behind which it is not known what is in flight";
  const std::string graph = "  - capture: {}\n  - replay: {}\n", reset = "  - reset: {}\n";
  const std::string in_place = "  - reload: {to: B, in_place: true}\n", reload = "  - reload: {to: B}\n";
  const std::string models = std::string(kOneSeries) + "models: 2\n";
  for (const std::string& series : {std::string(kOneGroup), std::string(kTwoGroups), models}) {
    EXPECT_EQ(said(timed_played(rings(series, graph + reset), "shared_series@hardened,binding=static")), kUnknown) << series;
    EXPECT_EQ(said(timed_played(rings(series, graph + reload), "shared_series@hardened,binding=static")), kUnknown) << series;
    for (const std::string& wait : {std::string("  - host_sync: {}\n"), std::string("  - drain: {}\n")}) {
      EXPECT_EQ(said(timed_played(rings(series, graph + reset + wait), "shared_series@hardened,binding=static")), kUnknown)
          << series << wait;
      EXPECT_EQ(said(timed_played(rings(series, graph + wait + reset), "shared_series@hardened,binding=static")), "pass") << series << wait;
      EXPECT_EQ(said(timed_played(rings(series, graph + wait + in_place), "shared_series@hardened,binding=static")), "pass")
          << series << wait;
    }
  }
  EXPECT_EQ(said(timed_played(rings(kTwoGroups, graph + in_place), "shared_series@hardened,binding=static")), "pass");
  EXPECT_EQ(said(timed_played(rings(models, graph + in_place), "shared_series@hardened,binding=static")), kUnknown);
}

TEST(PassTimes, AreNotPredictedWhereACommunicatorHasSeveralWorkers) {
  EXPECT_EQ(said(timed_played(rings(kOneSeries, "", "gloo"))),
            "it is predicted where a communicator has one stream, and gloo has two workers");
}

}  // namespace
}  // namespace reloadlab::sim
