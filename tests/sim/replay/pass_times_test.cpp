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

Case ring(int64_t prefetch, int64_t broadcast) {
  ParseOptions options;
  for (const LawInfo& law : laws()) options.known_laws.emplace_back(law.id);
  auto cases = parse_scenario(fmt::format(R"(
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
                                          layers - 1, prefetch, broadcast, before, after),
                              "ring.yaml", options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  return cases->front();
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

}  // namespace
}  // namespace reloadlab::sim
