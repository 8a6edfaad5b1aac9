// What a scenario file means, and that every bad one says what is wrong and where.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

namespace fs = std::filesystem;

const ParseOptions options{.seed = 11, .known_laws = {"cold_load_equal", "order_free", "no_leak"}, .cache_dir = "/cache"};

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<fs::path> files_in(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(RELOADLAB_SOURCE_DIR) / "tests/sim/scenario" / folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// A small valid file with one part replaced.
struct Text {
  std::string model = "{layers: [{name: \"blocks.{0..1}.up\", kind: column_parallel_linear, in: 4, out: 8}]}";
  std::string checkpoints = "{A: {synthetic: 1}, B: {synthetic: 2}}";
  std::string steps = "[{load: A}, {reload: {to: B}}]";
  std::string more;

  Result<std::vector<Case>> parse() const {
    return parse_scenario(fmt::format("reloadlab: 1\nscenario: t\nabout: t\nsystem: layerwise\nmodel: {}\ncheckpoints: {}\nsteps: {}\n{}",
                                      model, checkpoints, steps, more),
                          "t.yaml", options);
  }
  Case only() const {
    Result<std::vector<Case>> cases = parse();
    EXPECT_TRUE(cases.ok()) << cases.status().message();
    if (!cases.ok()) return {};
    EXPECT_EQ(cases->size(), 1u);
    return cases->front();
  }
};

// The first lines of a bad file are comments `# expect: <part of a message, with line and column>`; together they are all its errors.
TEST(BadScenario, says_what_is_wrong_where_and_nothing_else) {
  const std::vector<fs::path> files = files_in("bad");
  EXPECT_GE(files.size(), 60u);
  for (const fs::path& file : files) {
    const std::string text = text_of(file);
    const Result<std::vector<Case>> cases = parse_scenario(text, file.filename().string(), options);
    ASSERT_FALSE(cases.ok()) << file << " parses, but must not";
    EXPECT_EQ(cases.status().code(), Code::data) << file;
    std::istringstream lines(text);
    std::string line;
    long expected_errors = 0;
    while (std::getline(lines, line) && line.starts_with("# expect: ")) {
      ++expected_errors;
      const std::string expected = file.filename().string() + ":" + line.substr(10);
      EXPECT_NE(cases.status().message().find(expected), std::string::npos)
          << file << "\nexpected " << expected << "\ngot      " << cases.status().message();
    }
    EXPECT_GT(expected_errors, 0) << file << " has no line `# expect:`";
    EXPECT_EQ(std::count(cases.status().message().begin(), cases.status().message().end(), '\n') + 1, expected_errors)
        << file << "\ngot " << cases.status().message();
  }
}

TEST(Scenario, ranges_make_layers_and_texts_follow_them) {
  const Case one = Text{}.only();
  ASSERT_EQ(one.model.layers.size(), 2u);
  EXPECT_EQ(one.model.layers[1].name, "blocks.1.up");
  EXPECT_EQ(one.model.layers[1].integer("out"), 8);
}

TEST(Scenario, flags_are_on_in_the_model_whoever_makes_its_layers) {
  const std::map<std::string, bool> on{{"_do_torchao_reload", true}};
  EXPECT_EQ((Text{.model = "{flags: [_do_torchao_reload], layers: [{name: up, kind: column_parallel_linear, in: 4, out: 8}]}"}
                 .only()
                 .model.flags),
            on);
  EXPECT_EQ((Text{.model = "{architecture: bert, flags: [_do_torchao_reload]}"}.only().model.flags), on);
  EXPECT_TRUE(Text().only().model.flags.empty());
}

TEST(Scenario, lists_multiply_into_labelled_cases_in_order) {
  const auto cases =
      Text{.more = "world: {kind: [cpu, meta], ranks: [1, 2]}\nvary: {steps.1.reload.order: [reversed, {shuffle: 3}]}\n"}.parse();
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  ASSERT_EQ(cases->size(), 8u);
  EXPECT_EQ((*cases)[0].id(), "t[world=cpu,ranks=1,order=reversed]");
  EXPECT_EQ((*cases)[7].id(), "t[world=meta,ranks=2,order={shuffle:3}]");
  EXPECT_EQ((*cases)[7].steps[1].plan.order, OrderKind::shuffled);
  EXPECT_EQ((*cases)[7].steps[1].plan.order_seed, 3u);
  EXPECT_EQ((*cases)[7].world, WorldKind::meta);
  EXPECT_EQ((*cases)[6].ranks, 2);
}

TEST(Scenario, delays_multiply_as_ranks_do) {
  const auto cases =
      Text{.steps = "[{load: A}, {reload: {to: B, source: stream}}]", .more = "world: {kind: cuda, delays: [7, 3]}\n"}.parse();
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  ASSERT_EQ(cases->size(), 2u);
  EXPECT_EQ((*cases)[0].id(), "t[delays=7]");
  EXPECT_EQ((*cases)[1].delays, 3u);
}

TEST(Scenario, names_resolve_to_deliveries) {
  const Case one = Text{.steps =
                            "[{load: A}, {loads: {from: B, only: [\"blocks.{0..1}.up.weight\"], excess: [\"*.1.up.weight\"], repeat: "
                            "[\"blocks.0.up.weight x3\"]}}]"}
                       .only();
  const LoadPlan& plan = one.steps.at(1).plan;
  EXPECT_EQ(plan.only, (std::vector<std::string>{"blocks.0.up.weight", "blocks.1.up.weight"}));
  EXPECT_EQ(plan.excess, (std::vector<std::string>{"blocks.1.up.weight"}));
  ASSERT_EQ(plan.repeat.size(), 1u);
  EXPECT_EQ(plan.repeat[0].times, 3);
}

TEST(Scenario, the_default_outcome_is_that_of_expect) {
  const Case one = Text{.steps = "[{load: A, outcome: ok}, {reload: B}]", .more = "expect: {outcome: error}\n"}.only();
  EXPECT_EQ(one.steps.at(0).outcome, Step::Outcome::ok);
  EXPECT_EQ(one.steps.at(1).outcome, Step::Outcome::error);
}

TEST(Scenario, the_candidate_records_unless_the_file_says_never) {
  EXPECT_EQ(Text{}.only().record, Record::after_construction);
  EXPECT_EQ(Text{.more = "record: never\n"}.only().record, Record::never);
  const auto cases = Text{.more = "vary: {record: [after_construction, never]}\n"}.parse();
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  EXPECT_EQ(cases->at(0).record, Record::after_construction);
  EXPECT_EQ(cases->at(1).record, Record::never);
}

TEST(Scenario, paths_are_absolute_and_know_the_cache) {
  const Case one =
      Text{.checkpoints = "{A: {safetensors: \"${CACHE}/models/m.safetensors\", map: bert}, B: {safetensors: b.safetensors}}"}.only();
  EXPECT_EQ(one.checkpoints[0].second.path, "/cache/models/m.safetensors");
  EXPECT_TRUE(fs::path(one.checkpoints[1].second.path).is_absolute());
}

TEST(Scenario, the_seed_is_the_runs_unless_the_file_fixes_it) {
  EXPECT_EQ(Text{}.only().seed, 11u);
  EXPECT_EQ(Text{.more = "seed: 5\n"}.only().seed, 5u);
}

TEST(Scenario, all_errors_are_reported_in_file_order) {
  const auto cases = Text{.steps = "[{load: C}, {reload: {to: B, omit: [nothing]}}]", .more = "tags: [A B]\n"}.parse();
  ASSERT_FALSE(cases.ok());
  const std::string& message = cases.status().message();
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 2) << message;
  EXPECT_LT(message.find("t.yaml:7:16"), message.find("t.yaml:8:8")) << message;
}

}  // namespace
}  // namespace reloadlab::sim
