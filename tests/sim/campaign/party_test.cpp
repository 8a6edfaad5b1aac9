#include "sim/campaign/party.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sim/campaign/attempt.h"
#include "sim/evidence/store.h"
#include "tests/sim/campaign/fake_engine.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class NoPlace final : public MeetingPlace {
 public:
  int port() const override { return 1; }
};

class Party : public testing::Test {
 protected:
  Party() {
    engine.meet = [this]() -> Result<std::unique_ptr<MeetingPlace>> {
      ++meetings;
      return std::unique_ptr<MeetingPlace>(std::make_unique<NoPlace>());
    };
    together = with_rank_processes(engine, {.command = {"/proc/self/exe", "worker"}, .silence_seconds = 2});
    talking.world = WorldKind::cuda;
    talking.ranks = 3;
    talking.series.push_back({.name = "ring", .layers = {"up"}});
    talking.steps = {{.kind = StepKind::load}, {.kind = StepKind::pass}};
  }

  Result<Evidence> play(const std::string& candidate) { return together.replay(talking, candidate, {}); }

  Engine engine = fake_engine();
  Engine together;
  Case talking;
  int meetings = 0;
};

TEST_F(Party, TellsWhatOneProcessWouldHaveTold) {
  const auto apart = play("fake@good");
  const auto alone = engine.replay(talking, "fake@good", {});
  ASSERT_TRUE(apart.ok()) << apart.status().message();
  EXPECT_EQ(to_text(*apart), to_text(*alone));
}

TEST_F(Party, LivesOnForCasesThatGoWell) {
  for (int time = 0; time < 3; ++time) ASSERT_TRUE(play("fake@good").ok());
  EXPECT_EQ(meetings, 1);
  ASSERT_TRUE(play("fake@one_dies").ok());
  ASSERT_TRUE(play("fake@good").ok());
  EXPECT_EQ(meetings, 2);
  talking.ranks = 2;
  ASSERT_TRUE(play("fake@good").ok());
  EXPECT_EQ(meetings, 3);
}

TEST_F(Party, ARankThatDiesCostsItsEvidenceAndNoOthers) {
  const auto evidence = play("fake@one_dies");
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  const Execution& warm = evidence->executions.front();
  EXPECT_EQ(warm.stopped, "lost: rank 1: killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(warm.ranks[0].outcomes.size(), 2u);
  EXPECT_TRUE(warm.ranks[1].outcomes.empty());
  const Answer answer = judge_evidence({.the_case = talking, .candidate = "fake@one_dies"}, *evidence, together);
  EXPECT_EQ(answer.result.laws.back().state, State::fail);
}

TEST_F(Party, WhereAllDieTheCaseIsStillJudged) {
  for (const char* candidate : {"fake@crash", "fake@exit", "fake@loop", "fake@nonsense", "fake@lies", "fake@broken"}) {
    const auto evidence = play(candidate);
    ASSERT_TRUE(evidence.ok()) << candidate << ": " << evidence.status().message();
    const std::string expected = candidate == std::string_view("fake@loop") ? "hang: rank 0: " : "lost: rank 0: ";
    EXPECT_TRUE(evidence->executions.front().stopped.starts_with(expected)) << evidence->executions.front().stopped;
  }
}

TEST_F(Party, WhatTheMachineLacksIsNobodysLoss) {
  EXPECT_EQ(play("fake@not_here").status().code(), Code::unsupported);
  EXPECT_EQ(play("fake@no_data").status().code(), Code::data);
}

TEST_F(Party, CasesWhoseRanksDoNotTalkNeedNone) {
  talking.series.clear();
  ASSERT_TRUE(play("fake@good").ok());
  EXPECT_EQ(meetings, 0);
}

}  // namespace
}  // namespace reloadlab::tests
