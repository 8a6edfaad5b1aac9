// Conditions, reasons and quarantines of expectation files.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "sim/campaign/expectation_book.h"
#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

const std::string kBegins = "reloadlab: 1\nscenario: small\nknown:\n";
const std::string kExpected = "scenarios/expectations/layerwise/small.yaml";
const std::string kEvidence = "execution: warm, step: 1, tensor: up.weight";

std::string bad_when(const std::string& conditions) {
  return "  - {candidate: fake@bad, law: law_a, rule: B10, when: {" + conditions + "}, " + kEvidence + "}\n";
}

std::string flaky_until(const std::string& day) {
  return "  - {candidate: fake@flaky, law: law_a, quarantine: {until: " + day + ", reason: the allocator is being mended}}\n";
}

std::string complaint_of(const std::string& entries) {
  const auto read = parse_expectations(kBegins + entries, "x.yaml", {.laws = {"law_a"}, .variants = {}, .scenario = "small"});
  return read.ok() ? "" : read.status().message();
}

TEST(Conditions, HoldWhereAllOfThemFit) {
  const Facts facts{{"torch", "2.11.0+cu130"}, {"ranks", "2"}};
  EXPECT_TRUE(hold({}, facts));
  EXPECT_TRUE(hold({{"torch", {"2.11"}}, {"ranks", {"1", "2"}}}, facts));
  EXPECT_TRUE(hold({{"torch", {"2.11.0"}}}, facts));
  EXPECT_FALSE(hold({{"torch", {"2.1"}}}, facts)) << "a version is more than its digits";
  EXPECT_FALSE(hold({{"torch", {"2.11"}}, {"ranks", {"1"}}}, facts));
  EXPECT_FALSE(hold({{"ranks", {"20"}}}, facts));
  EXPECT_FALSE(hold({{"compute_capability", {"9.0"}}}, facts)) << "there is no GPU";
}

TEST(Conditions, ReadBackAsWritten) {
  const std::string text = kBegins +
                           "  - {candidate: c, law: law_a, rule: LW1, when: {compute_capability: [\"9.0\", \"10.0\"], ranks: [2], torch: "
                           "[\"2.10\"]}, execution: warm, step: 1, reason: a kernel of that GPU}\n" +
                           "  - {candidate: d, law: law_a, quarantine: {until: 2026-12-31, reason: it races}}\n";
  const auto read = parse_expectations(text, "x.yaml", {});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(expectations_text(*read), text);
  EXPECT_EQ(read->known[0].why(), "a kernel of that GPU; holds with compute_capability 9.0 or 10.0, ranks 2, torch 2.10");
}

TEST(Conditions, ErrorsSayWhereAndWhatWasMeant) {
  EXPECT_EQ(complaint_of(bad_when("torch: \"2.11\"")), "");
  EXPECT_EQ(complaint_of(bad_when("trch: \"2.11\"")), "x.yaml:4:57: unknown key \"trch\"; did you mean \"torch\"?");
  EXPECT_EQ(complaint_of(bad_when("ranks: two")), "x.yaml:4:64: expected a whole number, found \"two\"");
  EXPECT_EQ(complaint_of(bad_when("torch: new")), "x.yaml:4:64: expected a version such as \"2.11\", found \"new\"");
  EXPECT_EQ(complaint_of(bad_when("ranks: []")), "x.yaml:4:64: an empty list never holds; leave the key out to hold always");
  EXPECT_EQ(complaint_of(bad_when("")), "x.yaml:4:56: no condition always holds; leave the key out");
  EXPECT_EQ(complaint_of(flaky_until("2026-02-30")), "x.yaml:4:61: expected a day as 2026-12-31, found \"2026-02-30\"");
  EXPECT_EQ(complaint_of("  - {candidate: c, law: law_a, quarantine: {untill: 2026-12-31, until: 2026-12-31, reason: r}}\n"),
            "x.yaml:4:45: unknown key \"untill\"; did you mean \"until\"?");
  EXPECT_EQ(complaint_of("  - {candidate: c, law: law_a, quarantine: {until: 2026-12-31}}\n"), "x.yaml:4:44: key \"reason\" is missing");
  EXPECT_EQ(complaint_of("  - {candidate: c, law: law_a, rule: LW1, quarantine: {until: 2026-12-31, reason: r}}\n"),
            "x.yaml:4:32: what is in quarantine comes and goes and has no rule; leave it out");
}

TEST(Conditions, EntriesThatNeverHoldTogetherStandBesideEachOther) {
  const std::string again = "x.yaml:5:5: another entry already covers fake@bad and law_a here";
  EXPECT_EQ(complaint_of(bad_when("ranks: 1") + bad_when("ranks: 2")), "");
  EXPECT_EQ(complaint_of(bad_when("ranks: [1, 2]") + bad_when("ranks: 2")), again);
  EXPECT_EQ(complaint_of(bad_when("torch: \"2.11\"") + bad_when("torch: \"2.11.1\"")), again);
  EXPECT_EQ(complaint_of(bad_when("torch: \"2.10\"") + bad_when("ranks: 2")), again) << "both may hold";
}

TEST_F(CampaignTest, AnEntryHoldsUnderItsConditionsOnlyAndReportsRepeatItsReason) {
  scenario("small");
  engine.facts = [] { return Facts{{"torch", "2.11.0"}}; };
  write(kExpected, kBegins + "  - {candidate: fake@bad, law: law_a, rule: B10, reason: seen with two, when: {ranks: 2, torch: \"2.11\"}, " +
                       kEvidence + "}\n");
  const RunResult result = run({"fake@bad"});
  EXPECT_EQ(law_of(result, "fake@bad", "law_a", "ranks=1").state, State::fail);
  EXPECT_EQ(law_of(result, "fake@bad", "law_a", "ranks=2").state, State::known);
  EXPECT_EQ(law_of(result, "fake@bad", "law_a", "ranks=2").reason, "seen with two; holds with ranks 2, torch 2.11");
  EXPECT_NE(read_file(result.run.folder + "/junit.xml").find("fails as known: B10: seen with two; holds with ranks 2, torch 2.11"),
            std::string::npos);
  engine.facts = [] { return Facts{{"torch", "2.12.0"}}; };
  EXPECT_EQ(law_of(run({"fake@bad"}), "fake@bad", "law_a", "ranks=2").state, State::fail);
}

TEST_F(CampaignTest, UpdateLeavesWhatHoldsElsewhere) {
  scenario("small");
  engine.facts = [] { return Facts{{"torch", "2.11.0"}}; };
  const std::string elsewhere = "  - {candidate: fake@moving, law: law_a, rule: B11, when: {torch: [\"2.10\"]}, " + kEvidence + "}\n";
  const std::string good = "  - {candidate: fake@good, law: law_a, rule: B11, when: {torch: [\"2.10\"";
  write(kExpected, kBegins + good + ", \"2.11\"]}, " + kEvidence + "}\n" + elsewhere);
  options.update_expectations = true;
  run({"fake@good"});
  const std::string text = read_file(folder / kExpected);
  EXPECT_NE(text.find(good + "]}, "), std::string::npos) << text;
  EXPECT_NE(text.find(elsewhere), std::string::npos) << text;
}

TEST_F(CampaignTest, WhatIsInQuarantineIsToldAndHoldsUntilItsDay) {
  scenario("small");
  options.repeat = 3;
  options.selection.ranks = 1;
  write(kExpected,
        kBegins + flaky_until("2026-12-31") + "  - {candidate: fake@flaky, law: same_again, quarantine: {until: 2027-01-31, reason: r}}\n");
  options.today = "2026-12-31";
  const RunResult result = run({"fake@flaky"});
  EXPECT_EQ(exit_code(result), Exit::held) << screen();
  const LawResult law = law_of(result, "fake@flaky", "law_a");
  EXPECT_EQ(law.state, State::quarantined);
  EXPECT_EQ(law.reason, "in quarantine until 2026-12-31: the allocator is being mended; fails in 1 of 3 runs of this seed, first in run 2");
  EXPECT_NE(screen().find("QUARANTINED  law_a   fake@flaky"), std::string::npos) << screen();
  EXPECT_NE(read_file(result.run.folder + "/junit.xml").find("<skipped type=\"quarantined\""), std::string::npos);
  options.today = "2027-01-01";
  const RunResult later = run({"fake@flaky"});
  EXPECT_EQ(exit_code(later), Exit::failed) << screen();
  EXPECT_EQ(law_of(later, "fake@flaky", "law_a").state, State::fail);
  EXPECT_TRUE(law_of(later, "fake@flaky", "law_a").reason.starts_with("its quarantine ended on 2026-12-31: the allocator is being mended"));
}

TEST_F(CampaignTest, AQuarantineThatIsOverIsToldWhereTheLawHolds) {
  scenario("small");
  write(kExpected, kBegins + "  - {candidate: fake@good, law: law_a, quarantine: {until: 2026-12-31, reason: it races}}\n");
  options.today = "2026-12-31";
  EXPECT_EQ(exit_code(run({"fake@good"})), Exit::held);
  EXPECT_EQ(screen().find("quarantine"), std::string::npos) << screen();
  options.today = "2027-01-01";
  EXPECT_EQ(exit_code(run({"fake@good"})), Exit::held);
  EXPECT_NE(screen().find("the quarantine of law_a ended on 2026-12-31, and it passes"), std::string::npos) << screen();
  const auto selected = select_cases(options.selection, engine);
  const auto found = lint_expectations(selected->all, {"law_a"}, options.selection.paths, options.today);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(
      found[0].ends_with("small.yaml:4:52: the quarantine of law_a for fake@good ended on 2026-12-31, expected a later day, or "
                         "no entry any more"))
      << found[0];
  EXPECT_TRUE(lint_expectations(selected->all, {"law_a"}, options.selection.paths, "2026-12-31").empty());
}

TEST_F(CampaignTest, UpdateLeavesQuarantinesAlone) {
  scenario("small");
  options.update_expectations = true;
  const std::string quarantined = "  - {candidate: fake@bad, law: law_a, quarantine: {until: 2026-12-31, reason: it races}}\n";
  write(kExpected, kBegins + quarantined);
  run({"fake@bad"});
  EXPECT_EQ(read_file(folder / kExpected), kBegins + quarantined);
}

TEST(Conditions, TheirKeysStandInTheReadmeAsTheyAre) {
  std::ifstream stream(std::string(RELOADLAB_SOURCE_DIR) + "/scenarios/expectations/README.md");
  std::ostringstream text;
  text << stream.rdbuf();
  const std::string begin = "<!-- keys -->\n", end = "<!-- end of keys -->";
  const size_t from = text.str().find(begin), to = text.str().find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(text.str().substr(from + begin.size(), to - from - begin.size()), expectations_markdown())
      << "put what `reloadlab schema --expectations` prints between " << begin << " and " << end;
}

}  // namespace
}  // namespace reloadlab::tests
