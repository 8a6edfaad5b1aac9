#include "sim/campaign/party.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "sim/campaign/attempt.h"
#include "sim/campaign/gpu_turn.h"
#include "sim/evidence/store.h"
#include "tests/sim/campaign/fake_engine.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class Party : public testing::Test {
 protected:
  Party() {
    engine.meet = [this]() -> Result<std::unique_ptr<MeetingPlace>> {
      ++meetings;
      return no_place();
    };
    together = with_rank_processes(engine, {"/proc/self/exe", "worker"});
    talking.world = WorldKind::cuda;
    talking.ranks = 3;
    talking.series.push_back({.name = "ring", .layers = {"up"}});
    talking.steps = {{.kind = StepKind::load}, {.kind = StepKind::pass}};
  }

  Result<Evidence> play(const std::string& candidate) {
    return together.replay(talking, candidate, {.silence_seconds = silence_seconds(candidate)});
  }

  Engine engine = fake_engine();
  Engine together;
  Case talking;
  int meetings = 0;
};

// A copy of the warm execution with all of its ranks, or of an empty one, which fails the test.
Execution warm_of(const Result<Evidence>& evidence, size_t ranks) {
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  const Execution* warm = evidence.ok() ? evidence->find(Variation::Kind::warm) : nullptr;
  if (warm && warm->ranks.size() == ranks) return *warm;
  ADD_FAILURE() << "no warm execution of " << ranks << " ranks";
  return {.ranks = std::vector<RankRun>(ranks)};
}

TEST_F(Party, TellsWhatOneProcessWouldHaveTold) {
  const auto apart = play("fake@good");
  const auto alone = engine.replay(talking, "fake@good", {});
  ASSERT_TRUE(apart.ok()) << apart.status().message();
  ASSERT_TRUE(alone.ok()) << alone.status().message();
  EXPECT_EQ(to_text(*apart), to_text(*alone));
}

// Whether somebody plays on the GPUs of this host. Its own temporary folder: other tests have their turns too.
class PartysTurn : public Party {
 protected:
  PartysTurn() {
    std::filesystem::create_directory(folder);
    ::setenv("TMPDIR", folder.c_str(), 1);
  }
  ~PartysTurn() override {
    ::unsetenv("TMPDIR");
    std::filesystem::remove_all(folder);
  }
  bool taken() const {
    const int file = ::open((folder / "reloadlab-gpus.lock").c_str(), O_RDONLY);
    const bool taken = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(file);
    return taken;
  }
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / fmt::format("reloadlab-turn-{}", ::getpid());
};

TEST_F(PartysTurn, IsTakenWhileRanksMeet) {
  int steps = 0, free = 0;
  const auto look = [&](const Variation&, int, int) { ++steps, free += taken() ? 0 : 1; };
  ASSERT_TRUE(together.replay(talking, "fake@good", {.on_step = look, .silence_seconds = 60}).ok());
  EXPECT_GT(steps, 0);
  EXPECT_EQ(free, 0);
  EXPECT_FALSE(taken());
  talking.ranks = 1;
  steps = free = 0;
  ASSERT_TRUE(together.replay(talking, "fake@good", {.on_step = look, .silence_seconds = 60}).ok());
  EXPECT_EQ(free, steps) << "one rank waits for nobody";
}

// Who waits says so, or it would be taken for one that hangs; who gives a turn back does not take the next one before it.
TEST_F(PartysTurn, ComesToThoseWhoWaitAndSaySo) {
  std::optional<GpuTurn> mine = std::move(*GpuTurn::take({}));
  std::promise<void> waits, may_end;
  std::atomic<bool> told = false;
  std::jthread other([&] {
    const auto turn = GpuTurn::take([&] {
      if (!told.exchange(true)) waits.set_value();
    });
    EXPECT_TRUE(turn.ok());
    may_end.get_future().wait();
  });
  ASSERT_EQ(waits.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  mine.reset();
  std::atomic<bool> behind = false;
  std::jthread ends([&] {
    while (!behind) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    may_end.set_value();
  });
  EXPECT_TRUE(GpuTurn::take([&] { behind = true; }).ok());
  EXPECT_TRUE(behind.exchange(true));
}

TEST_F(PartysTurn, WhereItCannotBeHadIsSaid) {
  std::filesystem::create_symlink(folder / "nowhere" / "lock", folder / "reloadlab-gpus.lock");
  EXPECT_NE(play("fake@good").status().message().find("expected a lock for the GPUs of this host"), std::string::npos);
}

TEST_F(Party, LivesOnForCasesThatGoWell) {
  for (const char* candidate : {"fake@good", "fake@refuses", "fake@good"}) EXPECT_EQ(warm_of(play(candidate), 3).stopped, "");
  EXPECT_EQ(meetings, 1);
  EXPECT_NE(warm_of(play("fake@one_dies"), 3).stopped, "");
  EXPECT_EQ(warm_of(play("fake@good"), 3).stopped, "");
  EXPECT_EQ(meetings, 2);
  talking.ranks = 2;
  EXPECT_EQ(warm_of(play("fake@good"), 2).stopped, "");
  EXPECT_EQ(meetings, 3);
  talking.ranks = 3;
  EXPECT_EQ(warm_of(play("fake@throws"), 3).stopped, "");
  EXPECT_EQ(meetings, 3);
  EXPECT_EQ(warm_of(play("fake@good"), 3).stopped, "");
  EXPECT_EQ(meetings, 4);
}

TEST_F(Party, ARankThatDiesCostsItsEvidenceAndNoOthers) {
  const auto evidence = play("fake@one_dies");
  const Execution warm = warm_of(evidence, 3);
  EXPECT_EQ(warm.stopped, "lost: rank 1: killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(warm.ranks[0].outcomes.size(), 2u);
  EXPECT_TRUE(warm.ranks[1].outcomes.empty());
  ASSERT_EQ(warm.ranks[1].events.size(), 2u);  // of the step before: it had written them down
  EXPECT_EQ(warm.ranks[1].events.back().kind, EventKind::load_counted);
  ASSERT_TRUE(evidence.ok());
  const Answer answer = judge_evidence({.the_case = talking, .candidate = "fake@one_dies"}, *evidence, together);
  ASSERT_FALSE(answer.result.laws.empty());
  const LawResult& law = answer.result.laws.back();
  EXPECT_EQ(law.state, State::fail);
  ASSERT_TRUE(law.finding);
  EXPECT_EQ(law.finding->rank, 1);
  EXPECT_EQ(law.finding->step, 0);
  EXPECT_EQ(law.step_text, "load ");
}

// Gone, or nobody's who is about to ask for it.
bool is_dead(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(file, line);
  const size_t name_ends = line.rfind(')');
  return name_ends == std::string::npos || line.substr(name_ends + 2, 1) == "Z";
}

TEST_F(Party, WhatARankStartedEndsWithIt) {
  const Execution warm = warm_of(play("fake@forks"), 3);
  EXPECT_EQ(warm.stopped, "lost: rank 1: killed by signal 11 (SIGSEGV)");
  for (const RankRun& run : warm.ranks)
    for (const Event& event : run.events) {
      if (event.kind != EventKind::load_counted) continue;
      ASSERT_GT(event.value, 1);
      const auto child = static_cast<pid_t>(event.value);
      for (int waited = 0; waited < 2000 && !is_dead(child); ++waited) ::usleep(1000);
      EXPECT_TRUE(is_dead(child)) << child;
      if (!is_dead(child)) ::kill(child, SIGKILL);
    }
}

// Nobody's case: that of whoever comes next has ranks that are all there.
TEST_F(Party, ARankThatDiesBetweenCasesIsReplaced) {
  const std::vector<Event> told = warm_of(play("fake@named"), 3).ranks[1].events;
  ASSERT_FALSE(told.empty());
  const auto process = static_cast<pid_t>(told.back().value);
  ASSERT_GT(process, 1);
  ASSERT_NE(process, ::getpid());
  ASSERT_EQ(::kill(process, SIGKILL), 0);
  siginfo_t dead{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process), &dead, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(warm_of(play("fake@good"), 3).stopped, "");
  EXPECT_EQ(meetings, 2);
}

// Each case tells of it: no set of processes comes up.
TEST_F(Party, RanksThatNeverComeUpAreLost) {
  together = with_rank_processes(engine, {"/bin/false"});
  for (int time = 0; time < 2; ++time) EXPECT_EQ(warm_of(play("fake@good"), 3).stopped, "lost: rank 0: left with exit code 1");
  together = with_rank_processes(engine, {"/nowhere/at/all"});
  for (int time = 0; time < 2; ++time) EXPECT_EQ(play("fake@good").status().code(), Code::failed);
}

TEST_F(Party, WhereAllDieTheCaseIsStillJudged) {
  for (const char* candidate : {"fake@crash", "fake@exit", "fake@loop", "fake@nonsense", "fake@lies", "fake@broken"}) {
    const std::string stopped = warm_of(play(candidate), 3).stopped;
    const std::string expected = candidate == std::string_view("fake@loop") ? "hang: rank 0: " : "lost: rank 0: ";
    EXPECT_TRUE(stopped.starts_with(expected)) << candidate << ": " << stopped;
  }
}

TEST_F(Party, WhatTheMachineLacksIsNobodysLoss) {
  EXPECT_EQ(play("fake@not_here").status().code(), Code::unsupported);
  EXPECT_EQ(play("fake@no_data").status().code(), Code::data);
}

TEST_F(Party, CasesWhoseRanksDoNotTalkNeedNone) {
  talking.series.clear();
  EXPECT_EQ(warm_of(play("fake@good"), 3).stopped, "");
  EXPECT_EQ(meetings, 0);
}

}  // namespace
}  // namespace reloadlab::tests
