#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

using Kind = CoverageReport::Kind;
constexpr std::string_view kCoverageReported = "coverage_reported";

std::string what(const Fixture& fixture) {
  const Verdict verdict = fixture.judge(kCoverageReported);
  return verdict.finding ? verdict.finding->tensor + ": " + verdict.finding->what : text(verdict);
}

Fixture with_missing() {
  Fixture fixture;
  fixture.plan().missing = {{kToB, "norm", "weight", 2}};
  return fixture;
}

Fixture with_excess() {
  Fixture fixture;
  fixture.load(kToB, "norm.weight").excess = true;
  return fixture;
}

Fixture with_unknown() {
  Fixture fixture;
  PlannedLoad unknown{.step = kToB, .index = 3, .delivery = "fc.rotary"};
  fixture.plan().loads.push_back(unknown);
  fixture.outcome(kToB).load_statuses.emplace_back();
  return fixture;
}

void report(Fixture& fixture, Kind kind, const std::string& layer, const std::string& slot = "") {
  fixture.warm().ranks[0].coverage.push_back({kind, kToB, layer, slot});
}

TEST(CoverageReported, SilenceAboutWhatIsMissingIsAFailure) {
  Fixture fixture = with_missing();
  EXPECT_EQ(text(fixture.judge(kCoverageReported)),
            "fail: warm, rank 0, step 1, norm.weight: 2 elements never arrived, and nothing was reported (declared: warn)");
  report(fixture, Kind::missing, "norm", "weight");
  EXPECT_EQ(what(fixture), "pass");
}

TEST(CoverageReported, AReportAboutAnotherTensorDoesNotCount) {
  Fixture fixture = with_missing();
  report(fixture, Kind::missing, "fc", "weight");
  EXPECT_EQ(what(fixture), "norm.weight: 2 elements never arrived, and nothing was reported (declared: warn)");
}

TEST(CoverageReported, ExcessAndUnknownLoadsNeedAWordToo) {
  Fixture excess = with_excess();
  EXPECT_EQ(what(excess), "norm.weight: norm.weight arrived again, and nothing was reported (declared: warn)");
  report(excess, Kind::excess, "norm");
  EXPECT_EQ(what(excess), "pass");
  Fixture unknown = with_unknown();
  EXPECT_EQ(what(unknown), "fc.rotary: no layer takes fc.rotary, and nothing was reported (declared: warn)");
  report(unknown, Kind::unexpected, "fc.rotary");
  EXPECT_EQ(what(unknown), "pass");
}

TEST(CoverageReported, WhatIsRejectedMustHaveBeenRefused) {
  Fixture fixture = with_missing();
  fixture.declare("missing", "reject");
  report(fixture, Kind::missing, "norm", "weight");
  EXPECT_EQ(what(fixture), "norm.weight: 2 elements never arrived, and it was taken although the candidate declares to reject it");
  fixture.outcome(kToB).status = Status(Code::rejected, "norm.weight is missing");
  EXPECT_EQ(what(fixture), "pass");
}

TEST(CoverageReported, AcceptedExcessIsNoLossButAcceptedGapsAre) {
  Fixture excess = with_excess();
  excess.declare("excess", "accept");
  EXPECT_EQ(what(excess), "pass");
  Fixture missing = with_missing();
  missing.declare("missing", "accept");
  EXPECT_EQ(what(missing), "norm.weight: 2 elements never arrived, and nothing was reported (declared: accept)");
}

TEST(CoverageReported, WhoDeclaresNothingIsJudgedAllTheSame) {
  Fixture fixture = with_missing();
  fixture.evidence.declared.erase("missing");
  EXPECT_EQ(what(fixture), "norm.weight: 2 elements never arrived, and nothing was reported (declared: nothing)");
}

TEST(CoverageReported, FalseAlarmsAreFailures) {
  Fixture missing;
  report(missing, Kind::missing, "norm", "weight");
  EXPECT_EQ(what(missing), "norm.weight: was reported as missing, and it is not");
  Fixture excess;
  report(excess, Kind::excess, "fc");
  EXPECT_EQ(what(excess), "fc: was reported as excess, and it is not");
  Fixture unexpected;
  report(unexpected, Kind::unexpected, "fc.q");
  EXPECT_EQ(what(unexpected), "fc.q: was reported as unexpected, and it is not");
}

TEST(CoverageReported, ATiedNameWithoutDeliveriesMayBeNamed) {
  Fixture fixture = with_missing();
  report(fixture, Kind::missing, "norm", "weight");
  report(fixture, Kind::missing, "head", "weight");
  EXPECT_EQ(what(fixture), "pass");
}

TEST(CoverageReported, ALoadThatWasNeverMadeOwesNothing) {
  Fixture fixture = with_unknown();
  fixture.outcome(kToB).load_statuses.pop_back();
  EXPECT_EQ(what(fixture), "pass");
}

TEST(CoverageReported, WhoReportsNothingAboutItselfCannotBeJudged) {
  Fixture fixture = with_missing();
  fixture.evidence.declared.erase("reports");
  EXPECT_EQ(what(fixture), "unsupported: the candidate reports nothing about itself");
}

}  // namespace
}  // namespace reloadlab::sim
