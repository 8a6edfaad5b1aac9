#include "sim/report/baseline.h"

#include <gtest/gtest.h>

#include <fstream>

#include "sim/report/json.h"
#include "tests/sim/report/sample.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class Held : public testing::Test {
 protected:
  Held() : file(testing::TempDir() + "baseline.json") {}
  ~Held() override { std::filesystem::remove(file); }

  static CaseResult with(const std::string& candidate, Costs costs) {
    CaseResult one = sample_case("padded", "", candidate);
    one.costs = costs;
    return one;
  }
  void there(std::vector<CaseResult> cases, uint64_t seed = 7) const {
    RunResult run{.name = "before", .seed = seed, .cases = std::move(cases)};
    std::ofstream(file) << result_json(run);
  }
  Result<Baseline> open(std::map<std::string, std::string> stands_for = {}) const {
    return Baseline::open({file, std::move(stands_for)}, 7, std::vector<std::string>{"new@2"});
  }
  LawResult judged(CaseResult one, std::map<std::string, std::string> stands_for = {}) {
    auto baseline = open(std::move(stands_for));
    EXPECT_TRUE(baseline.ok()) << baseline.status().message();
    baseline->judge(one);
    report = baseline->report(true);
    notes = one.notes;
    return one.laws.empty() ? LawResult{} : one.laws.back();
  }

  const std::filesystem::path file;
  BaselineReport report;
  std::vector<std::string> notes;
};

constexpr Costs kBefore{.copies = 12, .bytes_moved = 4096, .peak_bytes = 100, .events = 30};

TEST_F(Held, TheSameCostsHold) {
  there({with("new@2", kBefore)});
  const LawResult law = judged(with("new@2", kBefore));
  EXPECT_EQ(law.law, "within_baseline");
  EXPECT_EQ(law.state, State::pass);
  EXPECT_EQ(law.checks, 4);
  EXPECT_EQ(report.compared, 1);
  EXPECT_TRUE(notes.empty());
}

TEST_F(Held, EachCounterThatGoesUpIsARegressionWithBothValues) {
  there({with("new@2", kBefore)});
  for (const Counter& counter : kCounters) {
    Costs more = kBefore;
    more.*counter.value += 1;
    const LawResult law = judged(with("new@2", more));
    EXPECT_EQ(law.state, State::fail) << counter.key;
    EXPECT_TRUE(law.reason.starts_with(std::string(counter.words) + ": ")) << law.reason;
    EXPECT_EQ(report.worse, 1);
  }
  EXPECT_EQ(judged(with("new@2", {.copies = 14, .bytes_moved = 5000, .peak_bytes = 100, .events = 30})).reason,
            "copies: 12 before, 14 now; bytes moved: 4,096 before, 5,000 now");
}

TEST_F(Held, WhatGotBetterIsToldAndHolds) {
  there({with("new@2", kBefore)});
  EXPECT_EQ(judged(with("new@2", {.copies = 11, .bytes_moved = 4096, .peak_bytes = 100, .events = 30})).state, State::pass);
  EXPECT_EQ(notes, std::vector<std::string>{"better than the baseline: copies: 12 before, 11 now"});
  EXPECT_EQ(report.better, 1);
}

TEST_F(Held, CasesOfOneSideAreTold) {
  there({with("old@1", kBefore)});
  EXPECT_EQ(judged(with("new@2", kBefore)).state, State::unsupported);
  EXPECT_EQ(report.only_there, std::vector<std::string>{"old@1 padded"});
  EXPECT_EQ(report.only_here, std::vector<std::string>{"new@2 padded"});
  EXPECT_EQ(baseline_text(report), "baseline " + file.string() +
                                       ": 0 cases compared, 0 worse, 0 better\n  only in the baseline: old@1 padded\n  not in the "
                                       "baseline: new@2 padded\n");
  EXPECT_TRUE(open()->report(false).only_there.empty()) << "of a shard nobody knows";
}

TEST_F(Held, AnotherVersionIsComparedByWhatItStandsFor) {
  there({with("new@2", {}), with("old@1", kBefore)});
  EXPECT_EQ(judged(with("new@2", kBefore), {{"old@1", "new@2"}}).state, State::pass) << "not with its own";
  EXPECT_EQ(judged(with("new@2", {.copies = 13}), {{"old@1", "new@2"}}).state, State::fail);
  EXPECT_TRUE(report.only_there.empty());
}

TEST_F(Held, NamesThatAreNotThereAreUsageErrorsWithTheNearest) {
  there({with("old@1", kBefore)});
  EXPECT_EQ(open({{"old@2", "new@2"}}).status().code(), Code::usage);
  EXPECT_NE(open({{"old@2", "new@2"}}).status().message().find("did you mean \"old@1\""), std::string::npos);
  EXPECT_NE(open({{"old@1", "new@1"}}).status().message().find("no candidate here is called \"new@1\", expected one of new@2"),
            std::string::npos);
}

TEST_F(Held, ACaseThatIsRunFromWhereItFailedIsTheSame) {
  CaseResult before = with("new@2", kBefore), again = with("new@2", {.copies = 13});
  before.variant = "ranks=2, quant=int8", again.scenario = "padded.ranks-2-quant-int8";
  there({before});
  EXPECT_EQ(judged(again).state, State::fail);
}

TEST_F(Held, CasesOnRealDevicesAreNotCompared) {
  CaseResult before = with("new@2", kBefore), now = with("new@2", {.copies = 99});
  before.world = now.world = "cuda";
  there({before});
  EXPECT_EQ(judged(now).state, State::unsupported);
  EXPECT_EQ(report.compared, 0);
}

TEST_F(Held, WhatHasNoCountersThereIsNotCompared) {
  CaseResult lost = with("new@2", kBefore);
  lost.costs.reset();
  there({lost});
  EXPECT_EQ(judged(with("new@2", kBefore)).state, State::unsupported);
}

TEST_F(Held, ABrokenFileIsAnError) {
  const auto refusal = [&](const std::string& text) {
    std::ofstream(file) << text;
    EXPECT_EQ(open().status().code(), Code::data);
    return open().status().message();
  };
  EXPECT_NE(refusal(R"({"reloadlab": 1, "kind": "result"})").find("a result of schema 1; this program writes and reads schema 2"),
            std::string::npos);
  EXPECT_NE(refusal("{").find("not a result of schema 2"), std::string::npos);
  there({}, 8);
  EXPECT_NE(open().status().message().find("made with --seed 8, this run has 7"), std::string::npos);
  std::filesystem::remove(file);
  EXPECT_NE(open().status().message().find("No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace reloadlab::tests
