#include "sim/explore/strategy.h"

#include <gtest/gtest.h>

#include "tests/sim/explore/random_program.h"
#include "tests/sim/explore/ring.h"

namespace reloadlab::sim::explore {
namespace {

using Kind = Strategy::Kind;

Exploration strategy_explored(const Program& program, const Strategy& strategy, Limits limits = {.seconds = no_clock}) {
  auto result = explore(program, strategy, limits);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *std::move(result);
}

// A host that asks once whether an event is done, and one that asks until it is.
Program asking(bool until_done) {
  return [until_done](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {1};
    std::string answers;
    modelled::RunReport report = machine.run([&](int) {
      machine.issue(machine.stream(0, 0), write_cell(cells, 1, 0, 0));
      modelled::PointPtr point = machine.record(machine.stream(0, 0), "an event");
      bool done = false;
      do {
        done = machine.host_query(point);
        answers += done ? "yes " : "no ";
      } while (until_done && !done);
    });
    return Outcome{report.stopped, answers, 1, {}};
  };
}

std::set<std::string> states(const Exploration& exploration) {
  std::set<std::string> all;
  for (const Ending& ending : exploration.endings) all.insert(ending.state);
  return all;
}

TEST(Strategy, BothAnswersOfAQuestionAreReached) {
  for (Kind kind : {Kind::exhaustive, Kind::unreduced}) {
    Exploration once = strategy_explored(asking(false), {.kind = kind}), until = strategy_explored(asking(true), {.kind = kind});
    EXPECT_EQ(states(once), (std::set<std::string>{"no ", "yes "}));
    EXPECT_EQ(states(until), (std::set<std::string>{"no yes ", "yes "}));
    EXPECT_TRUE(once.coverage.exhausted && until.coverage.exhausted);
  }
}

TEST(Strategy, AHostThatAsksForEverHangsInEverySchedule) {
  Program program = [](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 2, .poll_limit = 50}, std::move(chooser));
    modelled::RunReport report = machine.run([&](int) {
      auto never = std::make_shared<modelled::Point>();
      while (!machine.host_query(never)) {
      }
    });
    return Outcome{report.stopped, "", 2, {}};
  };
  for (Kind kind : {Kind::exhaustive, Kind::unreduced, Kind::random, Kind::round_robin}) {
    Exploration seen = strategy_explored(program, {.kind = kind, .schedules = 5});
    ASSERT_EQ(seen.endings.size(), 1u);
    EXPECT_EQ(seen.endings[0].verdict, "hang: hosts only ask whether something is done, and nothing else can go on");
  }
}

TEST(Strategy, AFaultStrikesEverywhereOnce) {
  Program program = [](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 2}, std::move(chooser));
    std::vector<std::string> struck(2);
    modelled::RunReport report = machine.run([&](int rank) {
      // Of three places, one or none.
      size_t where = machine.choose(modelled::ChoiceKind::fault, 4);
      struck[static_cast<size_t>(rank)] = where == 0 ? "nowhere" : fmt::format("at {}", where);
    });
    return Outcome{report.stopped, struck[0] + ", " + struck[1], 2, {}};
  };
  Exploration seen = strategy_explored(program, {});
  EXPECT_EQ(seen.endings.size(), 16u);
  EXPECT_EQ(seen.coverage.executions, 16);
  EXPECT_EQ(states(strategy_explored(program, {.kind = Kind::round_robin})), std::set<std::string>{"nowhere, nowhere"});
  EXPECT_EQ(states(strategy_explored(program, {.kind = Kind::timed})), std::set<std::string>{"nowhere, nowhere"});
}

TEST(Strategy, LimitsAreTold) {
  Program program = ring_program({.ranks = 2, .layers = 3, .lacks = Lacks::wait});
  Exploration few = strategy_explored(program, {}, {.executions = 3, .seconds = no_clock});
  EXPECT_FALSE(few.coverage.exhausted);
  EXPECT_EQ(few.coverage.limit, "3 executions");
  int64_t count = strategy_explored(program, {}).coverage.executions;
  EXPECT_TRUE(strategy_explored(program, {}, {.executions = count, .seconds = no_clock}).coverage.exhausted);
  EXPECT_FALSE(strategy_explored(program, {}, {.executions = count - 1, .seconds = no_clock}).coverage.exhausted);
  EXPECT_EQ(strategy_explored(program, {}, {.executions = 100, .seconds = 0}).coverage.limit, "0 s");
  EXPECT_FALSE(strategy_explored(program, {.kind = Kind::random}).coverage.exhausted);
}

// Whatever samples finds is among what the search finds, and enough of them find all.
TEST(Strategy, SamplesReachWhatTheSearchReaches) {
  Program program = ring_program({.ranks = 2, .layers = 2, .lacks = Lacks::wait});
  Exploration all = strategy_explored(program, {});
  for (const Strategy& strategy : {Strategy{.kind = Kind::random, .schedules = 200}, Strategy{.kind = Kind::pct, .schedules = 200}}) {
    Exploration some = strategy_explored(program, strategy);
    EXPECT_EQ(states(some), states(all));
    EXPECT_EQ(some.coverage.traces, all.coverage.traces);
    EXPECT_NE(some.failing(), nullptr);
    EXPECT_EQ(some.races.size(), all.races.size());
  }
}

TEST(Strategy, AFailingScheduleFailsAgainWhenReplayed) {
  Program program = ring_program({.ranks = 2, .layers = 2, .lacks = Lacks::wait});
  Exploration all = strategy_explored(program, {});
  const Ending* failing = all.failing();
  ASSERT_NE(failing, nullptr);
  Exploration again = strategy_explored(program, {.kind = Kind::replay, .schedule = failing->schedule});
  ASSERT_EQ(again.endings.size(), 1u);
  EXPECT_EQ(again.endings[0].verdict, "a forward read something else than its layer");
  EXPECT_EQ(again.endings[0].state, failing->state);
  EXPECT_EQ(explore(ring_program({.ranks = 3}), {.kind = Kind::replay, .schedule = failing->schedule}, {}).status().code(), Code::data);
}

// A reader that must come before a writer on another stream: a bug of depth 1 where it is the other way round, found by one schedule in
// as many as there are actors, at least.
TEST(Strategy, PctFindsWhatItPromises) {
  const Program program = [](std::unique_ptr<modelled::Chooser> chooser) {
    modelled::Machine machine({.ranks = 1}, std::move(chooser));
    auto cells = std::make_shared<Cells>();
    cells->values = {1};
    cells->reads = {0};
    machine.issue(machine.stream(0, 0), read_cell(cells, 0, 0));
    machine.issue(machine.new_stream(0), write_cell(cells, 1, 0, 0));
    machine.drain();
    return ended(machine, cells, cells->reads[0] == 1 ? "" : "read too late");
  };
  for (int depth : {1, 2}) {
    const Exploration seen = strategy_explored(program, {.kind = Kind::pct, .schedules = 1000, .depth = depth});
    ASSERT_TRUE(seen.chance);
    EXPECT_EQ(seen.chance->depth, depth);
    ASSERT_NE(seen.failing(), nullptr);
    EXPECT_GE(static_cast<double>(seen.failing()->runs), 1000 * seen.chance->of_one());
  }
  EXPECT_FALSE(strategy_explored(program, {.kind = Kind::random}).chance);
}

TEST(Strategy, ChancesAreTold) {
  const Chance chance{.actors = 4, .steps = 10, .depth = 3};
  EXPECT_DOUBLE_EQ(chance.of_one(), 1.0 / 400);
  EXPECT_EQ(told(chance, 100),
            "a schedule finds a bug of depth 3 with probability 1/(4 actors x 10^2 steps) = 0.0025 at least, 100 of them with 0.22");
  EXPECT_DOUBLE_EQ((Chance{.actors = 2, .steps = 10, .depth = 1}.of_one()), 0.5);
}

// One trace, which is run again and again.
TEST(Strategy, RunsThatShowNothingNewAreRedundant) {
  const Exploration seen = strategy_explored(ring_program({.ranks = 2, .layers = 3}), {.kind = Kind::random, .schedules = 7});
  EXPECT_EQ(seen.coverage.traces.size(), 1u);
  EXPECT_EQ(seen.coverage.redundant(), 6);
}

}  // namespace
}  // namespace reloadlab::sim::explore
