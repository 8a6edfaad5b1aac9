#include "tests/sim/report/sample.h"

namespace reloadlab::tests {

using namespace sim;

CaseResult sample_case(const std::string& scenario, const std::string& variant, const std::string& candidate) {
  return {.scenario = scenario,
          .variant = variant,
          .file = "scenarios/layerwise/" + scenario + ".yaml",
          .system = "layerwise",
          .candidate = candidate,
          .world = "cpu",
          .ranks = variant.empty() ? 1 : 2,
          .tags = {"smoke"},
          .seconds = 0.25};
}

LawResult sample_failure() {
  return {.law = "cold_load_equal",
          .state = State::fail,
          .finding = Finding{.law = "cold_load_equal",
                             .execution = "order 2",
                             .rank = 1,
                             .step = 3,
                             .tensor = "blocks.0.qkv.weight",
                             .what = "2,048 of 6,144 elements differ: rows 32-63",
                             .first = "[32, 0] is nan (poison: never written), should be 1.0859375",
                             .why = "completed at load 3 of 4"},
          .step_text = "reload to B",
          .at = Position{14, 5},
          .tail = {{0, {"q 2,048", "v 2,048 → complete → process → copy back"}}, {1, {"q 2,048", "q 2,048", "k dropped"}}},
          .checks = 12};
}

RunResult sample_run() {
  RunResult run{.name = "scenarios", .seed = 7};
  run.laws = {{"cold_load_equal", "A forward-visible tensor equals a cold load."},
              {"no_leak", "Nothing is left over."},
              {"same_again", "The same seed gives the same."}};
  run.baseline = BaselineReport{.file = "main.json",
                                .stands_for = {{"layerwise@old", "layerwise@seed"}},
                                .compared = 4,
                                .worse = 1,
                                .better = 2,
                                .only_there = {"layerwise@old gone"},
                                .only_here = {}};
  run.run = {.started = "20261122T021533Z", .seconds = 72.4, .host = "box", .folder = "out/20261122T021533Z-scenarios", .jobs = 2};
  CaseResult failing = sample_case("repeated-shard", "ranks=2", "layerwise@seed");
  failing.laws = {sample_failure(), {.law = "no_leak", .checks = 3}};
  failing.failing = "failing/repeated-shard.ranks-2.yaml";
  CaseResult known = sample_case("repeated-shard", "ranks=1", "layerwise@seed");
  known.laws = {
      {.law = "cold_load_equal", .state = State::known, .rule = "LW5", .finding = Finding{.execution = "warm", .step = 1, .what = "x"}},
      {.law = "no_leak", .state = State::unsupported, .reason = "no repeat"}};
  known.laws[0].reason = "an old kernel; holds with torch 2.11";
  known.costs = Costs{.copies = 12, .bytes_moved = 4096, .peak_bytes = 1024, .events = 30};
  known.probes = {"excess_after_completion"};
  CaseResult surprising = sample_case("padded", "", "layerwise@seed");
  surprising.laws = {{.law = "cold_load_equal",
                      .state = State::unexpected_pass,
                      .reason = "known to fail (B10): warm, step 1",
                      .rule = "B10",
                      .checks = 4},
                     {.law = "no_leak", .state = State::inconclusive, .reason = "nothing compared"}};
  CaseResult held = sample_case("padded", "", "layerwise@hardened");
  held.laws = {{.law = "cold_load_equal", .checks = 4},
               {.law = "no_leak", .state = State::hang, .finding = Finding{.step = 2, .what = "no step"}, .checks = 1}};
  held.laws.push_back({.law = "same_again", .state = State::quarantined, .reason = "in quarantine until 2026-12-31: it races"});
  CaseResult skipped = sample_case("on-gpu", "", "layerwise@hardened");
  skipped.end = End::skipped;
  skipped.reason = "no world \"cuda\" <here>";
  CaseResult broken = sample_case("lost-file", "", "layerwise@hardened");
  broken.end = End::bad_data;
  broken.reason = "model.safetensors: cannot be read";
  run.cases = {failing, known, surprising, held, skipped, broken};
  return run;
}

}  // namespace reloadlab::tests
