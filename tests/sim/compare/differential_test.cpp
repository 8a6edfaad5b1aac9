#include "sim/compare/differential.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace reloadlab::tests {
namespace {

using namespace sim;

Answer answer(const std::string& candidate, const std::string& scenario = "x") {
  Answer one;
  one.result = {.scenario = scenario, .candidate = candidate};
  one.result.laws = {{.law = "law_a"}, {.law = std::string(kSameAgain)}};
  one.behaviour = {{"addresses", "rank 0, step 1: w", "kept"}};
  return one;
}

Differing held(const Answer& other) {
  Differential differential;
  differential.add(answer("first@1"));
  differential.add(other);
  EXPECT_EQ(differential.all().size(), 1u);
  return differential.all().back();
}

TEST(Differential, CandidatesThatDoTheSameAreTheSame) {
  const Differing one = held(answer("other@2"));
  EXPECT_EQ(word(one), "the same");
  EXPECT_EQ(differing_text(one), "x  first@1 | other@2  the same\n");
}

TEST(Differential, AnotherVerdictComesFirst) {
  Answer other = answer("other@2");
  other.result.laws[0] = {
      .law = "law_a", .state = State::fail, .finding = Finding{.execution = "warm", .rank = 1, .step = 2, .tensor = "w"}};
  other.behaviour[0].says = "lost";
  EXPECT_EQ(differing_text(held(other)),
            "x  first@1 | other@2  differs\n  verdicts   law_a: pass | fail at warm, rank 1, step 2, w\n"
            "  addresses  rank 0, step 1: w: kept | lost\n");
}

TEST(Differential, TheSameVerdictForOtherEvidenceIsADifference) {
  Answer first = answer("first@1"), other = answer("other@2");
  for (Answer* each : {&first, &other})
    each->result.laws[0] = {.law = "law_a", .state = State::fail, .finding = Finding{.execution = "warm", .step = 2}};
  other.result.laws[0].finding->step = 3;
  Differential differential;
  differential.add(first);
  differential.add(other);
  EXPECT_EQ(differential.all()[0].rows[0].other, "fail at warm, rank 0, step 3");
}

TEST(Differential, WhichCasesRunTwiceIsNoDifference) {
  Answer other = answer("other@2");
  other.result.laws.pop_back();
  EXPECT_EQ(word(held(other)), "the same");
}

TEST(Differential, WhatIsReportedIsNoDifference) {
  Answer first = answer("first@1"), other = answer("other@2");
  first.result.laws.push_back({.law = "coverage_reported", .state = State::fail, .finding = Finding{.execution = "warm"}});
  other.result.laws.push_back({.law = "coverage_reported", .state = State::unsupported});
  Differential differential;
  differential.add(first);
  differential.add(other);
  EXPECT_EQ(word(differential.all()[0]), "the same");
}

TEST(Differential, WhatWasNotPlayedIsNotCompared) {
  Answer other = answer("other@2");
  other.result.end = End::skipped, other.result.reason = "no GPU here";
  EXPECT_EQ(differing_text(held(other)), "x  first@1 | other@2  not compared\n  other@2: skipped: no GPU here\n");
}

TEST(Differential, EachCaseIsHeldAgainstItsOwnFirst) {
  Differential differential;
  for (const char* scenario : {"x", "y"})
    for (const char* candidate : {"first@1", "other@2", "third@3"}) differential.add(answer(candidate, scenario));
  ASSERT_EQ(differential.all().size(), 4u);
  EXPECT_EQ(differential.all()[3].id, "y");
  EXPECT_EQ(differential.all()[3].first, "first@1");
  EXPECT_EQ(differential_json(differential.all())["same"], 4);
}

}  // namespace
}  // namespace reloadlab::tests
