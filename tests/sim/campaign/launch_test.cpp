#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "sim/campaign/attempt.h"
#include "sim/campaign/beating.h"
#include "sim/campaign/launched.h"
#include "sim/evidence/store.h"
#include "tests/sim/campaign/fake_engine.h"
#include "tests/sim/campaign/file_board.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

class Launches : public testing::Test {
 protected:
  static constexpr int ranks = 3;

  Launches() : folder(std::filesystem::path(testing::TempDir()) / fmt::format("reloadlab_launch_{}", ::getpid())), board(folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    engine.meet = []() -> Result<std::unique_ptr<MeetingPlace>> { return no_place(); };
    for (int rank = 1; rank < ranks; ++rank) keepers.push_back(start(rank));
    talking.world = WorldKind::cuda;
    talking.ranks = ranks;
    talking.series.push_back({.name = "ring", .layers = {"up"}});
    talking.steps = {{.kind = StepKind::load}, {.kind = StepKind::pass}};
  }

  ~Launches() override {
    for (const pid_t keeper : keepers)
      if (keeper > 0) ::kill(keeper, SIGKILL), ::waitpid(keeper, nullptr, 0);
    for (const auto& each : {folder, gone()}) remove(each);
  }

  // What a keeper had started may write there for a moment longer than the keeper lives.
  static void remove(const std::filesystem::path& folder) {
    std::error_code error;
    for (int again = 0; again < 500; ++again) {
      std::filesystem::remove_all(folder, error);
      if (!error) return;
      ::usleep(10'000);
    }
    ADD_FAILURE() << folder << ": " << error.message();
  }

  std::filesystem::path gone() const { return folder.string() + "_gone"; }

  pid_t start(int rank) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    const std::string number = fmt::to_string(rank), all = fmt::to_string(ranks);
    ::execl("/proc/self/exe", "test_campaign", "keep", folder.c_str(), number.c_str(), all.c_str(), nullptr);
    ::_exit(127);
  }

  void gather() {
    auto all = Launched::gather(
        board,
        {.launch = {.ranks = ranks}, .command = {"/proc/self/exe", "worker"}, .silence_seconds = 4, .come_within = 20, .peer_patience = 3});
    ASSERT_TRUE(all.ok()) << all.status().message();
    launched = *std::move(all);
    together = launched->with_workers(engine);
  }

  Result<Evidence> play(const std::string& candidate) {
    return together.replay(talking, candidate, {.silence_seconds = silence_seconds(candidate)});
  }

  std::string stopped(const std::string& candidate) {
    const auto evidence = play(candidate);
    if (!evidence.ok()) return evidence.status().message();
    return evidence->find(Variation::Kind::warm)->stopped;
  }

  // What the keeper left with.
  int code_of(int rank) {
    int status = 0;
    ::waitpid(std::exchange(keepers[static_cast<size_t>(rank - 1)], 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  void end(int exit_code) {
    together.dismiss();
    launched->over(exit_code);
  }

  const std::filesystem::path folder;
  FileBoard board;
  std::vector<pid_t> keepers;
  Engine engine = fake_engine();
  std::unique_ptr<Launched> launched;
  Engine together;
  Case talking;
};

TEST_F(Launches, TellWhatOneProcessWouldHaveToldAndLeaveWithItsCode) {
  gather();
  for (int time = 0; time < 2; ++time) {
    const auto apart = play("fake@good"), alone = engine.replay(talking, "fake@good", {});
    ASSERT_TRUE(apart.ok()) << apart.status().message();
    EXPECT_EQ(to_text(*apart), to_text(*alone));
  }
  end(6);
  for (int rank = 1; rank < ranks; ++rank) EXPECT_EQ(code_of(rank), 6);
}

TEST_F(Launches, AWorkerThatDiesCostsItsCaseAndWhatItDidIsTold) {
  gather();
  const auto evidence = play("fake@one_dies");
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  const Execution& warm = *evidence->find(Variation::Kind::warm);
  EXPECT_EQ(warm.stopped, "lost: rank 1: killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(warm.ranks[1].events.size(), 2u);
  EXPECT_EQ(stopped("fake@good"), "");
  EXPECT_TRUE(stopped("fake@loop").starts_with("hang: rank 0: ")) << stopped("fake@loop");
  EXPECT_EQ(stopped("fake@good"), "");
  end(0);
  for (int rank = 1; rank < ranks; ++rank) EXPECT_EQ(code_of(rank), 0);
}

TEST_F(Launches, AProcessThatIsKilledIsLostForGood) {
  gather();
  EXPECT_EQ(stopped("fake@good"), "");
  ::kill(keepers[0], SIGKILL);
  EXPECT_EQ(code_of(1), -1);
  for (int time = 0; time < 2; ++time) EXPECT_EQ(stopped("fake@loop"), "hang: rank 0: fell silent, and was ended");
  const std::string said = stopped("fake@good");
  EXPECT_TRUE(said.starts_with("lost: rank 1: nothing was heard of its process for ")) << said;
  end(1);
  EXPECT_EQ(code_of(2), 1);
}

TEST_F(Launches, EndWithoutRank0) {
  {
    const Beating rank0(board, 0);
    ::usleep(1'000'000);
  }
  for (int rank = 1; rank < ranks; ++rank) EXPECT_EQ(code_of(rank), 1);
}

TEST_F(Launches, EndWithTheirBoard) {
  const Beating rank0(board, 0);
  ::usleep(500'000);
  std::filesystem::rename(folder, gone());  // at once: others write there
  for (int rank = 1; rank < ranks; ++rank) EXPECT_EQ(code_of(rank), 1);
}

TEST_F(Launches, SayWhatTheyCannotPlay) {
  gather();
  EXPECT_EQ(together.lacks(talking), "");
  talking.ranks = 2;
  EXPECT_EQ(together.lacks(talking), "its 2 ranks talk, each in a process of its own, and 3 were started (WORLD_SIZE)");
  talking.series.clear();
  EXPECT_EQ(together.lacks(talking), "");
  end(0);
}

TEST_F(Launches, PlayAloneWhatOneProcessCanPlay) {
  gather();
  talking.series.clear();
  const auto apart = play("fake@good"), here = engine.replay(talking, "fake@good", {});
  ASSERT_TRUE(apart.ok()) << apart.status().message();
  EXPECT_EQ(to_text(*apart), to_text(*here));
  const Status crash = play("fake@crash").status(), hang = play("fake@loop").status();
  EXPECT_EQ(crash.code(), Code::lost);
  EXPECT_EQ(crash.message(), "killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(hang.code(), Code::lost);
  EXPECT_EQ(hang.message(), "hang: fell silent, and was ended");
  EXPECT_TRUE(play("fake@good").ok());
  const Answer answer = attempt({.the_case = talking, .candidate = "fake@loop"}, together, {.silence_seconds = 4});
  ASSERT_EQ(answer.result.laws.size(), 1u);
  EXPECT_EQ(answer.result.laws[0].state, State::hang);
  EXPECT_EQ(answer.result.laws[0].finding->step, 1);
  end(0);
}

TEST(LaunchVariables, AreReadOrRefused) {
  const std::map<std::string, std::string> good{
      {"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "host"}, {"MASTER_PORT", "29500"}};
  const auto launch = read_launch(good);
  ASSERT_TRUE(launch.ok() && launch->has_value());
  EXPECT_EQ((*launch)->rank, 3);
  EXPECT_EQ((*launch)->ranks, 4);
  EXPECT_EQ((*launch)->local, 1);
  EXPECT_EQ((*launch)->host, "host");
  EXPECT_EQ((*launch)->port, 29500);
  EXPECT_FALSE((*launch)->is_open);
  EXPECT_FALSE(read_launch({})->has_value());
  EXPECT_FALSE(read_launch({{"RANK", "0"}, {"WORLD_SIZE", "1"}})->has_value());
  for (const auto& [name, value] : good) {
    if (name == "RANK") continue;
    auto without = good;
    without.erase(name);
    EXPECT_EQ(read_launch(without).status().code(), Code::usage) << name;
    EXPECT_NE(read_launch(without).status().message().find(name), std::string::npos) << name;
  }
  for (const auto& [name, value] : std::map<std::string, std::string>{{"RANK", "4"}, {"WORLD_SIZE", "x"}, {"MASTER_PORT", "0"}}) {
    auto wrong = good;
    wrong[name] = value;
    EXPECT_EQ(read_launch(wrong).status().code(), Code::usage) << name;
  }
}

}  // namespace
}  // namespace reloadlab::tests
