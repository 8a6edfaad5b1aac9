// What parses but is probably not meant.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

// A file with these steps and further lines, linted alone or with others.
std::vector<Case> cases(const std::string& name, const std::string& steps, const std::string& more = "") {
  const std::string text = fmt::format(
      "reloadlab: 1\nscenario: {}\nabout: t\nsystem: layerwise\n"
      "model: {{layers: [{{name: up, kind: column_parallel_linear, in: 4, out: 8, bias: true}}]}}\n"
      "checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}\nsteps: [{}]\n{}",
      name, steps, more);
  const std::string file = fmt::format("{}.yaml", name);
  auto parsed = parse_scenario(text, file, {.known_laws = {"return_exact", "order_free", "cold_load_equal"}});
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *parsed : std::vector<Case>();
}

testing::AssertionResult says(const std::vector<Case>& linted, const std::string& part) {
  std::string all;
  for (const std::string& message : lint(linted)) {
    if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
    all += message + "\n";
  }
  return testing::AssertionFailure() << "no message has \"" << part << "\", these are all:\n" << all;
}

TEST(Lint, says_nothing_about_an_ordinary_scenario) { EXPECT_TRUE(lint(cases("t", "{load: A}, {reload: B}, {reload: A}")).empty()); }

TEST(Lint, finds_a_checkpoint_that_is_never_delivered) {
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: A}"), "t.yaml:6:37: checkpoint B is never"));
}

TEST(Lint, finds_checkpoints_of_the_same_values) {
  auto same = cases("t", "{load: A}, {reload: B}");
  same[0].checkpoints[1].second.seed = 1;
  EXPECT_TRUE(says(same, "t.yaml:6:37: checkpoints A and B hold the same values"));
}

TEST(Lint, finds_names_that_are_both_sent_and_left_out) {
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: {to: B, only: [up.*], omit: [up.bias]}}"), "up.bias stands in both only and omit"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: {to: B, omit: [up.bias], repeat: [up.bias x2]}}"), "up.bias is repeated, but omitted"));
}

TEST(Lint, finds_steps_that_cannot_come_out_ok) {
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: {to: B, wrong: [{tensor: up.bias, dtype: i8}]}}"), "t.yaml:7:20: a wrong tensor"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: B, fault: {at: loader}}"), "a fault, but the step"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: B, fault: {at: loader}, abort_after: 1, outcome: error}"), "a fault and an abort"));
}

TEST(Lint, finds_laws_that_cannot_judge) {
  EXPECT_TRUE(says(cases("t", "{load: A}, {forward: {}}"), "t.yaml:7:8: nothing is reloaded"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: A}", "laws: [return_exact]\n"), "t.yaml:8:7: law return_exact needs two checkpoints"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {prepare: {}}, {loads: B}, {finish: {}}", "laws: [order_free]\n"), "needs a reload step"));
  EXPECT_TRUE(says(cases("t", "{load: A}, {reload: B}", "laws: [cold_load_equal]\nworld: {kind: meta}\n"), "compares values"));
}

TEST(Lint, finds_a_model_that_begins_with_poison) {
  EXPECT_TRUE(says(cases("t", "{reload: A}, {reload: B}"), "the first step is not a load"));
}

TEST(Lint, takes_tags_with_digits_for_numbers) {
  const std::string steps = "{load: A}, {reload: B}";
  std::vector<Case> all = cases("a", steps, "tags: [b10]\n");
  for (const Case& one : cases("b", steps, "tags: [b10]\n")) all.push_back(one);
  for (const Case& one : cases("c", steps, "tags: [b11]\n")) all.push_back(one);
  EXPECT_TRUE(lint(all).empty());
}

TEST(Lint, says_nothing_about_the_scenarios_of_the_repository) {
  ParseOptions options{.cache_dir = "/cache"};
  for (const char* law :
       {"graph_replay",  "ring_content", "ring_tenancy",      "ring_happens_before", "ring_sequence",  "rank_agreement", "cold_load_equal",
        "derived_fresh", "return_exact", "order_free",        "written_once",        "address_stable", "no_residue",     "memory_bound",
        "work_bound",    "event_order",  "coverage_reported", "failure_atomic",      "no_leak",        "ranks_alike"})
    options.known_laws.emplace_back(law);
  std::vector<Case> all;
  const auto files = find_scenarios({std::string(RELOADLAB_SOURCE_DIR) + "/scenarios"});
  ASSERT_TRUE(files.ok());
  for (const auto& file : *files) {
    const auto parsed = read_scenario(file, options);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    all.insert(all.end(), parsed->begin(), parsed->end());
  }
  EXPECT_EQ(lint(all), std::vector<std::string>());
}

TEST(Lint, finds_tags_across_files) {
  const std::string steps = "{load: A}, {reload: B}";
  std::vector<Case> all = cases("a", steps, "tags: [padding]\n");
  for (const Case& one : cases("b", steps, "tags: [padding]\n")) all.push_back(one);
  for (const Case& one : cases("c", steps, "tags: [pading]\n")) all.push_back(one);
  EXPECT_TRUE(says(all, "c.yaml:8:7: tag pading is used here alone; did you mean \"padding\"?"));
}

TEST(Lint, names_are_unique_among_files) {
  const std::string steps = "{load: A}, {reload: B}";
  std::vector<Case> all = cases("a", steps, "world: {ranks: [1, 2]}\n");
  for (const Case& one : cases("b", steps, "world: {ranks: [1, 2]}\n")) all.push_back(one);
  EXPECT_TRUE(check_names_unique(all).ok());
  all[2].scenario = all[3].scenario = "a";
  const Status status = check_names_unique(all);
  EXPECT_EQ(status.code(), Code::data);
  EXPECT_EQ(status.message(), "b.yaml:2:11: scenario a is also the name of a.yaml, expected one of its own");
}

TEST(Emit, a_case_alone_has_its_variant_in_its_name) {
  Case one = cases("a", "{load: A}, {reload: B}")[0];
  EXPECT_EQ(alone(one).scenario, "a");
  one.variant = "ranks=2, order=[Up.weight, 'x']";
  EXPECT_EQ(alone(one).scenario, "a.ranks-2-order-up.weight-x");
  EXPECT_EQ(alone(one).variant, "");
  one.variant = std::string(300, 'v');
  EXPECT_EQ(alone(one).scenario.size(), 200u);
}

}  // namespace
}  // namespace reloadlab::sim
