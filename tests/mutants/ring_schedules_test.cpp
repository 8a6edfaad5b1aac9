// Mutants of order on every schedule that differs, over all small rings: up to five layers, two and three ranks, every look-ahead. What
// one schedule shows of races is all there is; wrong bytes come of them alone; and without them there is one trace.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/campaign/explore_case.h"
#include "tests/mutants/played.h"
#include "tests/mutants/ring_wrong.h"
#include "tests/mutants/wrong.h"

namespace reloadlab::mutants {
namespace {

struct SmallRing {
  int ranks, layers, prefetch;
};

// What nobody waits for, ranks read each at its own times: with five layers on three ranks, and one window, in 14 · 14 · 42 ways, of which
// each takes a millisecond. Such a pass ends a layer earlier.
bool has_too_many_reads(const SmallRing& ring) { return ring.layers == 5 && ring.ranks == 3 && ring.prefetch == 0; }

// The shortest steps in which a mutant of order can race. One pass suffices but where the mistake is at its end.
std::string steps_of(const RingMutant& mutant, const SmallRing& ring) {
  using enum RingWrong;
  const std::string_view early = has_too_many_reads(ring) ? "until: blocks.3.o" : "";
  switch (mutant.wrong) {
    case no_wait:
      return fmt::format("- pass: {{{}}}", early);
    case other_stream:
      return fmt::format("- pass: {{stream: joined{}{}}}", early.empty() ? "" : ", ", early);
    case wait_of_previous:
      return "- pass: {stream: joined}";
    case readers_forgotten:
    case fork_missing:
      return "- pass: {stream: unjoined}";
    case wait_forgets:
      return fmt::format("- pass: {{second_reader: blocks.{}.o}}", ring.layers - 1);
    case evicts_at_start:  // what is in flight as a pass begins: with one window, only where another pass came before
      return fmt::format("- {}: {{}}\n  - pass: {{until: blocks.0.o}}", ring.prefetch > 0 ? "reset" : "pass");
    case reload_undrained:
      return "- pass: {}\n  - reload: {to: B, in_place: true}\n  - pass: {}";
    default:
      return "- pass: {}";
  }
}

constexpr std::string_view kRing = R"(reloadlab: 1
scenario: small-ring
about: A ring on every schedule.
system: shared_series
world: {{kind: sim, ranks: {}}}
model:
  dtype: f32
  layers:
    - {{name: "blocks.{{0..{}}}.o", kind: replicated_linear, in: 8, out: 8}}
series:
  - {{name: o, layers: "blocks.{{0..{}}}.o", prefetch: {}}}
checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}
steps:
  - load: A
  {}
)";

std::vector<sim::Case> case_of(const RingMutant& mutant, const SmallRing& ring) {
  const int last = ring.layers - 1;
  return cases_of(fmt::format(kRing, ring.ranks, last, last, ring.prefetch, steps_of(mutant, ring)), "small_ring.yaml");
}

std::vector<SmallRing> small_rings() {
  std::vector<SmallRing> rings;
  for (int layers = 1; layers <= 5; ++layers)
    for (int ranks = 2; ranks <= 3; ++ranks)
      for (int prefetch = 0; prefetch == 0 || prefetch + 2 <= layers; ++prefetch) rings.push_back({ranks, layers, prefetch});
  return rings;
}

bool fails(const sim::ExploreReport::Ending& ending, std::string_view law) {
  return std::ranges::find(ending.failed, law, &sim::LawResult::law) != ending.failed.end();
}

// Whether wrong bytes were read in some schedule.
bool explore_all(const RingMutant& mutant, const SmallRing& ring) {
  SCOPED_TRACE(fmt::format("{} n={} L={} k={}", mutant.name, ring.ranks, ring.layers, ring.prefetch));
  const std::string candidate = fmt::format("mutant@{}", mutant.name);
  const std::vector<sim::Case> cases = case_of(mutant, ring);
  const std::vector<Played> played = play(cases, candidate);
  const auto report =
      sim::explore_case(cases.at(0), *sim::find_candidate(candidate), {.most_executions = 10'000, .most_seconds = 300, .shrink = false});
  EXPECT_TRUE(report.ok()) << report.status().message();
  if (!report.ok()) return false;
  EXPECT_TRUE(report->exhausted) << report->covered;
  EXPECT_NE(report->covered.find(" 0 redundant, "), std::string::npos) << report->covered;
  EXPECT_EQ(played.at(0).fails("ring_happens_before"), !report->order.empty());
  EXPECT_EQ(report->races.empty(), report->order.empty());
  // A pair may race and have one order: a collective moves its data in one step, so that it waits for more than hardware does.
  EXPECT_TRUE(!report->races.empty() || report->covered.starts_with("1 execution, 1 trace, ")) << report->covered;
  bool wrong = false;
  for (const sim::ExploreReport::Ending& ending : report->endings) {
    wrong |= fails(ending, "ring_content");
    EXPECT_TRUE(!fails(ending, "ring_content") || ending.raced) << ending.schedule;
  }
  return wrong;
}

TEST(RingSchedules, MutantsOfOrderOverAllSmallRings) {
  if (!sim::find_candidate("mutant@none").ok()) register_mutants();
  for (const RingMutant& mutant : ring_mutants()) {
    if (mutant.law != "ring_happens_before") continue;
    int wrong = 0;
    for (const SmallRing& ring : small_rings()) wrong += explore_all(mutant, ring) ? 1 : 0;
    EXPECT_GT(wrong, 0) << mutant.name;
  }
}

}  // namespace
}  // namespace reloadlab::mutants
