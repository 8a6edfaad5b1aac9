#include <gtest/gtest.h>

#include "sim/campaign/expectation_book.h"
#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

const std::string kHead = "reloadlab: 1\nscenario: small\nknown:\n";
const std::string kFile = "scenarios/expectations/layerwise/small.yaml";
const std::string kBadAtStep1 = "  - {candidate: fake@bad, law: law_a, rule: B10, execution: warm, step: 1, tensor: up.weight}\n";

std::string message_of(const std::string& text) {
  const auto read =
      parse_expectations(text, "x.yaml", {.laws = {"law_a", "law_b"}, .variants = {"ranks=1", "ranks=2"}, .scenario = "small"});
  return read.ok() ? "" : read.status().message();
}

TEST(Expectations, ReadBackAsWritten) {
  const std::string text =
      kHead + kBadAtStep1 + "  - {candidate: fake@bad, law: law_b, rule: \"?\", variants: [ranks=1], execution: order 2, step: -1}\n";
  const auto read = parse_expectations(text, "x.yaml", {});
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->known.size(), 2u);
  EXPECT_TRUE(read->known[0].explained());
  EXPECT_FALSE(read->known[1].explained());
  EXPECT_EQ(read->known[1].place("x.yaml"), "x.yaml:5:45");
  EXPECT_EQ(read->known[1].first.step, -1);
  EXPECT_EQ(expectations_text(*read), text);
}

TEST(Expectations, ErrorsSayWhereAndWhatWasMeant) {
  EXPECT_EQ(message_of(kHead + kBadAtStep1), "");
  EXPECT_EQ(message_of("[]"), "x.yaml:1:1: expected a map, found a list");
  EXPECT_EQ(message_of("reloadlab: 2\nscenario: small\nknown: []\n"), "x.yaml:1:12: this program reads schema version 1");
  EXPECT_EQ(message_of("reloadlab: 1\nscenario: small\nknwon: []\nknown: []\n"),
            "x.yaml:3:1: unknown key \"knwon\"; did you mean \"known\"?");
  EXPECT_EQ(message_of("reloadlab: 1\nscenario: large\nknown: []\n"),
            "x.yaml:1:1: this file is for scenario \"large\", its name is for \"small\"");
  EXPECT_EQ(message_of("reloadlab: 1\nscenario: small\n"), "x.yaml:1:1: key \"known\" is missing");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_c, rule: LW1, execution: warm, step: 1}\n"),
            "x.yaml:4:25: no law is called \"law_c\"; did you mean \"law_a\"?");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: \"\", execution: warm, step: 1}\n"),
            "x.yaml:4:38: expected text, found an empty one");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, execution: warm, step: 1}\n"), "x.yaml:4:5: key \"rule\" is missing");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: warm, step: one}\n"),
            "x.yaml:4:66: expected an integer, found \"one\"");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: warm, step: 1, variants: [ranks=3]}\n"),
            "x.yaml:4:80: no variant of this scenario is called \"ranks=3\"; did you mean \"ranks=1\"?");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: warm, step: 1, variants: []}\n"),
            "x.yaml:4:79: an empty list covers no case; leave the key out to cover all");
  const std::string in_worlds = kHead + "  - {candidate: fake@bad, law: law_a, rule: B10, execution: warm, step: 1, worlds: ";
  EXPECT_EQ(message_of(in_worlds + "[cdua]}\n"),
            "x.yaml:4:85: no world is called \"cdua\", expected one of cpu, meta, sim, cuda; did you mean \"cuda\"?");
  EXPECT_EQ(message_of(in_worlds + "[cpu, cpu]}\n"), "x.yaml:4:90: world cpu a second time, expected each once");
  EXPECT_EQ(message_of(in_worlds + "[]}\n"), "x.yaml:4:84: an empty list covers no world; leave the key out to cover all");
  EXPECT_EQ(message_of(in_worlds + "[cuda]}\n" + kBadAtStep1), "x.yaml:5:5: another entry already covers fake@bad and law_a here");
  EXPECT_EQ(message_of(kHead + kBadAtStep1 + kBadAtStep1), "x.yaml:5:5: another entry already covers fake@bad and law_a here");
}

// Which of a step's loader calls, post-load steps or copies back is struck is drawn from the run's seed, and 1 draws others than 0.
TEST(Expectations, WhatTheSeedDrawsIsNoPartOfThem) {
  EXPECT_EQ(lasting_execution("fault loader 34"), "fault loader");
  EXPECT_EQ(lasting_execution("fault copy_back 0"), "fault copy_back");
  for (const char* label : {"warm", "cold B", "cold fault 3, poison 1", "order 1", "repeat 4", "fault loader", "fault "})
    EXPECT_EQ(lasting_execution(label), label);
  const Finding at_3{.execution = "fault loader 3", .step = 1, .tensor = "up.weight"};
  const Finding at_5{.execution = "fault loader 5", .step = 1, .tensor = "down.weight"};
  EXPECT_EQ(evidenced_by(at_3), evidenced_by(at_5));
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: fault loader 3, step: 1}\n"),
            "x.yaml:4:54: \"fault loader 3\" names what the run's seed draws, expected \"fault loader\"");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: fault loader, step: 1}\n"), "");
  EXPECT_EQ(message_of(kHead + "  - {candidate: c, law: law_a, rule: LW1, execution: fault loader, step: 1, tensor: w}\n"),
            "x.yaml:4:85: which tensor a fault shows in is drawn with the run's seed; leave it out");
}

TEST_F(CampaignTest, AKnownFailureHoldsWithAnySeed) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@drawn, law: law_a, rule: B16, execution: fault loader, step: 1}\n");
  for (const uint64_t seed : {0, 1, 7}) {
    options.selection.seed = seed;
    const RunResult result = run({"fake@drawn"});
    EXPECT_EQ(exit_code(result), Exit::held) << screen();
    EXPECT_EQ(law_of(result, "fake@drawn", "law_a").finding->execution, "fault loader " + std::to_string(seed));
  }
}

// Real devices decide for themselves who comes first, so what a known race does to bytes is chance there, and nowhere else.
TEST_F(CampaignTest, WhatAKnownRaceDoesOnRealDevicesIsChance) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@bad, law: ring_happens_before, rule: SW1, execution: warm, step: -1}\n" +
                   "  - {candidate: fake@bad, law: graph_replay, rule: SW1, execution: warm, step: 2}\n");
  const Case one{
      .scenario = "small", .file = (folder / "scenarios/layerwise/small.yaml").string(), .variant = "ranks=1", .system = "layerwise"};
  const auto book = ExpectationBook::open({&one, 1}, {"ring_happens_before", "ring_content", "graph_replay", "ring_memory"});
  ASSERT_TRUE(book.ok()) << book.status().message();
  auto states = [&](const std::string& world) {
    CaseResult result{.scenario = one.scenario, .variant = one.variant, .file = one.file, .candidate = "fake@bad", .world = world};
    result.laws = {{.law = "ring_happens_before", .state = State::unsupported},
                   {.law = "ring_content", .state = State::fail, .finding = Finding{.execution = "warm", .step = 1}},
                   {.law = "graph_replay", .state = State::pass},
                   {.law = "ring_memory", .state = State::fail, .finding = Finding{.execution = "warm", .step = 1}},
                   {.law = "same_again", .state = State::flaky}};
    book->apply(result);
    std::vector<State> seen;
    for (const LawResult& law : result.laws) seen.push_back(law.state);
    return seen;
  };
  EXPECT_EQ(states("cuda"), (std::vector<State>{State::unsupported, State::known, State::pass, State::fail, State::known}));
  EXPECT_EQ(states("sim"), (std::vector<State>{State::inconclusive, State::fail, State::unexpected_pass, State::fail, State::flaky}));
}

// A known race that finds memory asleep costs the device, and its rank what it would have issued. Any other loss is nobody's excuse.
TEST_F(CampaignTest, AKnownRaceMayLoseADevice) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@bad, law: ring_happens_before, rule: SW4, execution: warm, step: -1}\n");
  const Case one{
      .scenario = "small", .file = (folder / "scenarios/layerwise/small.yaml").string(), .variant = "ranks=1", .system = "layerwise"};
  const auto book = ExpectationBook::open({&one, 1}, {"ring_happens_before", "ring_sequence", "ring_memory"});
  ASSERT_TRUE(book.ok()) << book.status().message();
  auto states = [&](const std::string& candidate, const std::string& what) {
    CaseResult result{.scenario = one.scenario, .variant = one.variant, .file = one.file, .candidate = candidate, .world = "cuda"};
    result.laws = {{.law = "ring_sequence", .state = State::fail, .finding = Finding{.execution = "warm", .step = 1}},
                   {.law = "ring_memory", .state = State::fail, .finding = Finding{.execution = "warm", .step = 1}},
                   {.law = "survives", .state = State::fail, .finding = Finding{.execution = "warm", .step = 1, .what = what}}};
    book->apply(result);
    std::vector<State> seen;
    for (const LawResult& law : result.laws) seen.push_back(law.state);
    return seen;
  };
  const std::string lost = "lost: rank 1: CUDA error: an illegal memory access was encountered";
  EXPECT_EQ(states("fake@bad", lost), (std::vector<State>{State::known, State::fail, State::known}));
  EXPECT_EQ(states("fake@bad", "lost: rank 1: killed by signal 9"), (std::vector<State>{State::fail, State::fail, State::fail}));
  EXPECT_EQ(states("fake@good", lost), (std::vector<State>{State::fail, State::fail, State::fail}));
}

// The place that a graph reads may be the tensor's again, if the allocator will have it so.
TEST_F(CampaignTest, WhatLiesWhereAMovedTensorLayIsChanceOnRealDevices) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@bad, law: address_stable, rule: B39, execution: warm, step: 1}\n" +
                   "  - {candidate: fake@bad, law: graph_replay, rule: B39, execution: warm, step: 2}\n");
  const Case one{
      .scenario = "small", .file = (folder / "scenarios/layerwise/small.yaml").string(), .variant = "ranks=1", .system = "layerwise"};
  const auto book = ExpectationBook::open({&one, 1}, {"address_stable", "graph_replay"});
  ASSERT_TRUE(book.ok()) << book.status().message();
  auto state = [&](const std::string& world, LawResult law) {
    CaseResult result{.scenario = one.scenario, .variant = one.variant, .file = one.file, .candidate = "fake@bad", .world = world};
    result.laws = {std::move(law)};
    book->apply(result);
    return result.laws[0].state;
  };
  const LawResult passes{.law = "graph_replay", .state = State::pass};
  EXPECT_EQ(state("cuda", passes), State::pass);
  EXPECT_EQ(state("sim", passes), State::unexpected_pass);
  EXPECT_EQ(state("cuda", {.law = "address_stable", .state = State::pass}), State::unexpected_pass);
  const Finding finding{.execution = "warm", .step = 3};
  EXPECT_EQ(state("cuda", {.law = "graph_replay", .state = State::fail, .finding = finding}), State::fail);
}

TEST(Expectations, ARuleIsOneThatExists) {
  const auto with_rule = [](const std::string& rule) {
    return message_of(kHead + "  - {candidate: c, law: law_a, rule: " + rule + ", execution: warm, step: 1}\n");
  };
  for (const char* rule : {"LW1", "LW8", "OQ6", "SW5", "B01", "B71", "L17", "\"?\""}) EXPECT_EQ(with_rule(rule), "") << rule;
  for (const char* rule : {"LW0", "LW9", "OQ7", "SW6", "B05", "B72", "L05", "L18", "lw6", "LW06", "\"LW6, B10\""})
    EXPECT_TRUE(with_rule(rule).starts_with("x.yaml:4:38: no rule or bug is called \"")) << rule << ": " << with_rule(rule);
  EXPECT_EQ(with_rule("ZZ99"), "x.yaml:4:38: no rule or bug is called \"ZZ99\"");
  EXPECT_EQ(with_rule("LW66"), "x.yaml:4:38: no rule or bug is called \"LW66\"; did you mean \"LW6\"?");
}

TEST_F(CampaignTest, AKnownFailureHolds) {
  scenario("small");
  write(kFile, kHead + kBadAtStep1);
  const RunResult result = run({"fake@good", "fake@bad"});
  EXPECT_EQ(exit_code(result), Exit::held);
  EXPECT_EQ(law_of(result, "fake@bad", "law_a", "ranks=2").state, State::known);
  EXPECT_EQ(law_of(result, "fake@bad", "law_a", "ranks=2").rule, "B10");
  options.expectations = false;
  EXPECT_EQ(exit_code(run({"fake@bad"})), Exit::failed);
}

TEST_F(CampaignTest, AKnownFailureThatMovesIsAFailure) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@moving, law: law_a, rule: B10, execution: warm, step: 1, tensor: up.weight}\n");
  const RunResult result = run({"fake@moving"});
  EXPECT_EQ(exit_code(result), Exit::failed);
  EXPECT_NE(law_of(result, "fake@moving", "law_a").reason.find("known to fail otherwise (B10): warm, step 1, up.weight"),
            std::string::npos);
}

TEST_F(CampaignTest, AKnownFailureThatPassesIsUnexpected) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@good, law: law_a, rule: B10, execution: warm, step: 1, variants: [ranks=2]}\n");
  const RunResult result = run({"fake@good"});
  EXPECT_EQ(exit_code(result), Exit::unexpected_pass);
  EXPECT_EQ(law_of(result, "fake@good", "law_a", "ranks=1").state, State::pass);
  EXPECT_EQ(law_of(result, "fake@good", "law_a", "ranks=2").state, State::unexpected_pass);
}

TEST_F(CampaignTest, ABadExpectationFileStopsTheRun) {
  scenario("small");
  write(kFile, kHead + "  - {}\n");
  EXPECT_EQ(try_run({"fake@good"}).status().code(), Code::data);
}

// Whatever `about` names: that is what the scenario is for, and not why this candidate fails this law.
TEST_F(CampaignTest, UpdateAsksForTheRuleAndTheFailureStaysUntilItIsWritten) {
  scenario("small", "What LW5 and B08 are about.");
  options.update_expectations = true;
  EXPECT_EQ(exit_code(run({"fake@good", "fake@bad"})), Exit::failed);
  const std::string asked = (folder / kFile).string() + ":4:45: why does fake@bad fail law_a?";
  EXPECT_NE(screen().find(asked), std::string::npos) << screen();
  std::string text = kHead + "  - {candidate: fake@bad, law: law_a, rule: \"?\", execution: warm, step: 1, tensor: up.weight}\n";
  EXPECT_EQ(read_file(folder / kFile), text);
  EXPECT_EQ(exit_code(run({"fake@bad"})), Exit::failed);
  EXPECT_NE(screen().find(asked), std::string::npos) << "asked again, though nothing was written: " << screen();

  options.update_expectations = false;
  const RunResult before = run({"fake@good", "fake@bad"});
  EXPECT_EQ(exit_code(before), Exit::failed);
  EXPECT_EQ(law_of(before, "fake@bad", "law_a").rule, "");
  EXPECT_NE(law_of(before, "fake@bad", "law_a").reason.find("small.yaml:4:45"), std::string::npos);

  write(kFile, text.replace(text.find("\"?\""), 3, "B10"));
  EXPECT_EQ(exit_code(run({"fake@good", "fake@bad"})), Exit::held);
}

TEST_F(CampaignTest, UpdateTakesTheRuleOfTheSameFailureInAnotherVariant) {
  scenario("small");
  write(kFile,
        kHead + "  - {candidate: fake@bad, law: law_a, rule: B10, variants: [ranks=1], execution: warm, step: 1, tensor: up.weight}\n");
  options.update_expectations = true;
  EXPECT_EQ(exit_code(run({"fake@bad"})), Exit::held);
  EXPECT_EQ(read_file(folder / kFile), kHead + kBadAtStep1);
}

TEST_F(CampaignTest, UpdateTakesNoRuleOfAnotherFailure) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@bad, law: law_a, rule: B10, variants: [ranks=1], execution: warm, step: 0}\n");
  options.update_expectations = true;
  options.selection.ranks = 2;
  EXPECT_EQ(exit_code(run({"fake@bad"})), Exit::failed);
  EXPECT_NE(read_file(folder / kFile).find("rule: \"?\", variants: [ranks=2]"), std::string::npos) << read_file(folder / kFile);
}

TEST_F(CampaignTest, UpdateKeepsTheRuleOfWhatStillHoldsAndWhatDidNotRun) {
  scenario("small");
  const std::string other = "  - {candidate: fake@other, law: law_b, rule: B71, execution: warm, step: 0}\n";
  write(kFile, kHead + kBadAtStep1 + other);
  options.update_expectations = true;
  options.selection.ranks = 1;
  run({"fake@bad"});
  EXPECT_EQ(read_file(folder / kFile), kHead + kBadAtStep1 + other);
  EXPECT_EQ(screen().find("still why?"), std::string::npos) << "nothing has moved: " << screen();
}

TEST_F(CampaignTest, UpdateOfOneVariantLeavesTheOthers) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@moving, law: law_a, rule: B10, execution: warm, step: 1, tensor: up.weight}\n");
  options.update_expectations = true;
  options.selection.ranks = 2;
  run({"fake@moving"});
  EXPECT_EQ(read_file(folder / kFile),
            kHead +
                "  - {candidate: fake@moving, law: law_a, rule: B10, variants: [ranks=1], execution: warm, step: 1, tensor: up.weight}\n" +
                "  - {candidate: fake@moving, law: law_a, rule: B10, variants: [ranks=2], execution: warm, step: 0, tensor: up.weight}\n");
  EXPECT_NE(screen().find(kFile + ":5:48: fake@moving fails law_a otherwise now: is B10 still why?"), std::string::npos) << screen();
  EXPECT_EQ(screen().find(":4:48:"), std::string::npos) << "the other variant did not run: " << screen();
}

// Whoever writes down what real devices show leaves what holds where there are none, and the other way round.
TEST_F(CampaignTest, UpdateOnRealDevicesStandsApart) {
  const std::string moving = "  - {candidate: fake@moving, law: law_a, rule: B10, worlds: ";
  const std::string others = "[cpu, meta, sim], execution: warm, step: ", passes = "  - {candidate: fake@good, law: law_a, rule: B11, ";
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@moving, law: law_a, rule: B10, execution: warm, step: 1, tensor: up.weight}\n" + passes +
                   "execution: warm, step: 1}\n");
  options.update_expectations = true;
  options.selection.on = WorldKind::cuda;
  run({"fake@moving", "fake@good"});
  EXPECT_EQ(read_file(folder / kFile), kHead + passes + "worlds: " + others + "1}\n" + moving + others + "1, tensor: up.weight}\n" +
                                           moving + "[cuda], execution: warm, step: 0, tensor: up.weight}\n");
  options.update_expectations = false;
  EXPECT_EQ(exit_code(run({"fake@moving", "fake@good"})), Exit::held) << screen();
  options.selection.on.reset();
  EXPECT_EQ(law_of(run({"fake@moving"}), "fake@moving", "law_a").state, State::fail);
  EXPECT_EQ(law_of(run({"fake@good"}), "fake@good", "law_a").state, State::unexpected_pass);
}

TEST_F(CampaignTest, UpdateInOneWorldAndThenInAnotherIsOneEntry) {
  const std::string bad = "  - {candidate: fake@bad, law: law_a, rule: B10, ", first = "execution: warm, step: 1, tensor: up.weight}\n";
  scenario("small");
  write(kFile, kHead + bad + "worlds: [cpu], " + first);
  options.update_expectations = true;
  options.selection.on = WorldKind::sim;
  run({"fake@bad"});
  EXPECT_EQ(read_file(folder / kFile), kHead + bad + "worlds: [cpu, sim], " + first);
  write(kFile, kHead + bad + "worlds: [cpu, meta, cuda], " + first);
  run({"fake@bad"});
  EXPECT_EQ(read_file(folder / kFile), kHead + bad + first);
}

TEST_F(CampaignTest, UpdateRemovesWhatPassesNow) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@good, law: law_a, rule: B10, execution: warm, step: 1}\n");
  options.update_expectations = true;
  run({"fake@good"});
  EXPECT_FALSE(std::filesystem::exists(folder / kFile));
}

TEST_F(CampaignTest, LintFindsRulesThatNobodyHasWritten) {
  scenario("small");
  write(kFile, kHead + "  - {candidate: fake@bad, law: law_a, rule: \"?\", execution: warm, step: 1}\n");
  const auto selected = select_cases(options.selection, engine);
  ASSERT_TRUE(selected.ok());
  const auto found = lint_expectations(selected->all, {"law_a"}, options.selection.paths);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].ends_with("small.yaml:4:45: rule is \"?\", expected the rule or bug that explains why fake@bad fails law_a"))
      << found[0];
}

TEST_F(CampaignTest, LintFindsOrphansOnlyWhereEverythingWasGiven) {
  scenario("small");
  write("scenarios/expectations/layerwise/gone.yaml", "reloadlab: 1\nscenario: gone\nknown: []\n");
  const auto selected = select_cases(options.selection, engine);
  ASSERT_TRUE(selected.ok());
  const auto found = lint_expectations(selected->all, {"law_a"}, options.selection.paths);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("gone.yaml:1:1: no scenario here is called \"gone\""), std::string::npos) << found[0];
  const std::vector<std::string> one_file{(folder / "scenarios/layerwise/small.yaml").string()};
  EXPECT_TRUE(lint_expectations(selected->all, {"law_a"}, one_file).empty());
}

}  // namespace
}  // namespace reloadlab::tests
