#include <gtest/gtest.h>

#include <set>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

TEST(Registry, AFaultlessRunPassesEveryLaw) {
  for (const int ranks : {1, 2})
    for (const Verdict& verdict : judge(Fixture(ranks).evidence)) {
      if (ranks == 1 && verdict.law == "ranks_alike") continue;
      EXPECT_EQ(text(verdict), "pass") << verdict.law;
      EXPECT_GT(verdict.checks, 0) << verdict.law;
    }
}

TEST(Registry, IdsAreUniqueAndSentencesEnd) {
  std::set<std::string_view> ids;
  for (const LawInfo& law : laws()) {
    EXPECT_TRUE(ids.insert(law.id).second) << law.id;
    EXPECT_EQ(law.sentence.back(), '.') << law.id;
    EXPECT_EQ(find_law(law.id), &law);
  }
  EXPECT_EQ(ids.size(), 24u);
  EXPECT_EQ(find_law("no_such_law"), nullptr);
}

TEST(Registry, ACaseThatNamesLawsIsJudgedByThoseInRegistryOrder) {
  Fixture fixture;
  fixture.evidence.the_case.laws = {"no_leak", "order_free"};
  const std::vector<Verdict> verdicts = judge(fixture.evidence);
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].law, "order_free");
  EXPECT_EQ(verdicts[1].law, "no_leak");
}

TEST(Registry, EvidenceWithoutExecutionsPassesNoLaw) {
  Fixture fixture(2);
  fixture.evidence.executions.clear();
  for (const Verdict& verdict : judge(fixture.evidence)) EXPECT_EQ(verdict.outcome, Outcome::inconclusive) << verdict.law;
}

TEST(Registry, ARunThatStoppedBeforeItsFirstStepPassesNoLawButIsNotLost) {
  Fixture fixture;
  fixture.each_rank_run([](Execution&, RankRun& run) { run = {}; });
  for (const Verdict& verdict : judge(fixture.evidence)) EXPECT_NE(verdict.outcome, Outcome::pass) << verdict.law << " " << verdict.checks;
}

TEST(Registry, AFaultThatNeverStruckBlamesNobody) {
  Fixture fixture;
  fixture.warm().steps[kToB].fault = Fault{.nth = 99};
  fixture.warm().steps[kToB].at.line = 12;
  for (const Verdict& verdict : judge(fixture.evidence))
    EXPECT_EQ(text(verdict),
              "inconclusive: the fault of step 1 (line 12) never struck: rank 0 had no chance 99 of its kind (counted from 0)");
  fixture.insert_after(event_at(kToB, EventKind::step_begin), {.kind = EventKind::fault, .step = kToB});
  EXPECT_EQ(text(judge(fixture.evidence)[0]), "pass");
}

// The step may have failed of itself before its fault could strike: that is the candidate's.
TEST(Registry, AStepThatFailsBeforeItsFaultIsJudged) {
  Fixture fixture;
  fixture.warm().steps[kToB].fault = Fault{.nth = 99};
  fixture.outcome(kToB).status = Status(Code::failed, "of itself");
  for (const Verdict& verdict : judge(fixture.evidence)) EXPECT_EQ(verdict.reason.find("never struck"), std::string::npos) << verdict.law;
}

TEST(Registry, FindingsCarryTheLawsName) {
  Fixture fixture;
  fixture.set(fixture.entry(kToB, "norm.weight"), 0, 7);
  EXPECT_EQ(fixture.judge("cold_load_equal").finding->law, "cold_load_equal");
}

}  // namespace
}  // namespace reloadlab::sim
