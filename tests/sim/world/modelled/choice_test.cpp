#include "sim/world/modelled/choice.h"

#include <gtest/gtest.h>

#include <set>

#include "reference/base/check.h"

namespace reloadlab::sim::modelled {
namespace {

const std::vector<Option> three = {{.actor = 2, .ready_at = 9}, {.actor = 5, .ready_at = 3}, {.actor = 7, .ready_at = 3}};

std::vector<size_t> take(Chooser& chooser, size_t count) {
  std::vector<size_t> taken;
  for (size_t i = 0; i < count; ++i) taken.push_back(chooser.choose(ChoiceKind::next, three));
  return taken;
}

TEST(Choice, RoundRobinStarvesNobody) { EXPECT_EQ(take(*round_robin(), 5), (std::vector<size_t>{0, 1, 2, 0, 1})); }

TEST(Choice, TimedTakesTheEarliestAndThenTheLowestNumber) { EXPECT_EQ(take(*timed(), 2), (std::vector<size_t>{1, 1})); }

// A broadcast that begins at the same time slows it, which it has to know.
TEST(Choice, TimedTakesAKernelLastOfWhatBeginsAtItsTime) {
  const std::vector<Option> options = {
      {.actor = 1, .ready_at = 3, .kernel = true}, {.actor = 2, .ready_at = 3}, {.actor = 3, .ready_at = 4}};
  EXPECT_EQ(timed()->choose(ChoiceKind::next, options), 1u);
}

TEST(Choice, RandomIsASeedsAndReachesEveryOption) {
  std::vector<size_t> taken = take(*random_choices(4), 40);
  EXPECT_EQ(taken, take(*random_choices(4), 40));
  EXPECT_NE(taken, take(*random_choices(5), 40));
  EXPECT_EQ(std::set<size_t>(taken.begin(), taken.end()).size(), 3u);
}

TEST(Choice, PctKeepsToOneActorBetweenItsChangePoints) {
  std::set<size_t> firsts;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    std::vector<size_t> plain = take(*pct(seed, 1, 10), 10), bent = take(*pct(seed, 2, 10), 10);
    EXPECT_EQ(std::set<size_t>(plain.begin(), plain.end()).size(), 1u) << seed;
    EXPECT_EQ(std::set<size_t>(bent.begin(), bent.end()).size(), bent[0] == bent[9] ? 1u : 2u) << seed;
    firsts.insert(plain[0]);
  }
  EXPECT_EQ(firsts.size(), 3u);
}

TEST(Choice, ReplayTakesWhatIsStored) {
  auto chooser = replay({2, 1});
  EXPECT_EQ(take(*chooser, 4), (std::vector<size_t>{2, 1, 0, 0}));
}

TEST(Choice, AScheduleOfAnotherProgramIsADefect) {
  auto chooser = replay({3});
  EXPECT_THROW(chooser->choose(ChoiceKind::next, three), Defect);
}

TEST(Choice, DepthFirstOrderVisitsEveryScheduleOnce) {
  // A program with two choices after option 0, and one of three after option 1.
  auto widths = [](const Schedule& schedule) { return schedule[0] == 0 ? std::vector<uint32_t>{2, 2, 2} : std::vector<uint32_t>{2, 3}; };
  std::set<Schedule> seen;
  Schedule prefix;
  for (bool more = true; more;) {
    Schedule schedule = prefix;
    if (schedule.empty()) schedule.push_back(0);
    schedule.resize(widths(schedule).size(), 0);
    EXPECT_TRUE(seen.insert(schedule).second);
    std::optional<Schedule> next = next_schedule(schedule, widths(schedule));
    more = next.has_value();
    if (more) prefix = *next;
  }
  EXPECT_EQ(seen.size(), 7u);
}

}  // namespace
}  // namespace reloadlab::sim::modelled
