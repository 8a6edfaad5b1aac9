#include "sim/campaign/trail.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sim/campaign/gpu_memory.h"
#include "tests/sim/campaign/fixture.h"

namespace reloadlab::tests {
namespace {

using namespace sim;

TEST(Trails, TellWhatWasWrittenOfTheExecution) {
  const int file = open_trail();
  ASSERT_GE(file, 0);
  TrailWriter writer(file);
  writer.add("warm", {.kind = EventKind::record});
  writer.restart();
  writer.add("cold A", {.kind = EventKind::load_begin, .step = 0});
  writer.add("warm", {.kind = EventKind::collective, .step = 2, .load = 1, .layer = 3, .numel = 64, .value = -1, .text = "a\tb\nc"});
  writer.add("warm", {.kind = EventKind::read, .step = 2, .layer = 3, .text = "weight"});
  writer.add("warm", {.kind = EventKind::reach_end, .step = 2, .layer = 3});
  const std::vector<Event> events = trail_events(read_trail(file), "warm");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, EventKind::collective);
  EXPECT_EQ(events[0].step, 2);
  EXPECT_EQ(events[0].load, 1);
  EXPECT_EQ(events[0].layer, 3);
  EXPECT_EQ(events[0].numel, 64);
  EXPECT_EQ(events[0].value, -1);
  EXPECT_EQ(events[0].text, "a\tb c");
  EXPECT_EQ(events[1].kind, EventKind::reach_end);
  ::close(file);
}

TEST(Trails, EndWhereTheyMakeNoSense) {
  const std::string good = "warm\trecord\t-1\t-1\t-1\t0\t0\t\n";
  EXPECT_EQ(trail_events(good + good, "warm").size(), 2u);
  EXPECT_EQ(trail_events(good + "warm\trecord\t-1\t-1\t-1\t0\t0\t", "warm").size(), 1u);
  for (const char* bad : {"warm\trecords\t-1\t-1\t-1\t0\t0\t\n", "warm\trecord\tx\t-1\t-1\t0\t0\t\n", "\n", "warm\trecord\n"})
    EXPECT_EQ(trail_events(good + bad + good, "warm").size(), 1u) << bad;
}

TEST(GpuMemories, ComeBackOrAreTold) {
  std::vector<int64_t> used{100 << 20, 0};
  int asked = 0;
  const GpuMemory memory([&] {
    if (++asked == 4) used[1] = 0;  // the driver takes its time
    return used;
  });
  used[1] = 50 << 20;
  EXPECT_EQ(memory.left(), (std::vector<int64_t>{0, 0}));
  used[0] += 512 << 20;
  const std::vector<int64_t> left = memory.left();
  EXPECT_EQ(left, (std::vector<int64_t>{512 << 20, 0}));
  EXPECT_TRUE(left_text(left).starts_with("GPU 0: 512.0 MiB more in use"));
  EXPECT_EQ(left_text({0, 0}), "");
  EXPECT_TRUE(GpuMemory(nullptr).left().empty());
}

TEST(SpoiledDevices, AreTheCandidatesFailure) {
  Case one{.scenario = "x", .ranks = 2};
  one.steps = {{.kind = StepKind::load}, {.kind = StepKind::pass}};
  const Answer answer = attempt({.the_case = one, .candidate = "fake@spoils"}, fake_engine());
  ASSERT_EQ(answer.result.laws.size(), 1u);
  const LawResult& law = answer.result.laws[0];
  EXPECT_EQ(law.law, "survives");
  EXPECT_EQ(law.state, State::fail);
  ASSERT_TRUE(law.finding);
  EXPECT_EQ(law.finding->what, "the device is gone");
  EXPECT_EQ(law.finding->step, 1);
  EXPECT_EQ(law.step_text, "pass");
}

}  // namespace
}  // namespace reloadlab::tests
