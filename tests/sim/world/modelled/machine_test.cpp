// Streams, events and schedules.
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <set>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

TEST(Streams, AMissingWaitIsARaceInEverySchedule) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 1}, random_choices(seed));
    at::Tensor x = at::zeros({4}, on(0));
    c10::Stream side = side_stream(0);
    order(here(0), side);
    x.fill_(1);
    {
      c10::StreamGuard guard(side);
      x.fill_(2);
    }
    machine.synchronize_device(0);
    EXPECT_EQ(raced(machine).size(), 1u) << seed;
  }
}

TEST(Streams, AnEventMakesItNone) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 1}, random_choices(seed));
    at::Tensor x = at::zeros({4}, on(0));
    c10::Stream side = side_stream(0);
    x.fill_(1);
    order(here(0), side);
    {
      c10::StreamGuard guard(side);
      x.fill_(2);
    }
    order(side, here(0));
    EXPECT_EQ(values(x), repeated(2, 4)) << seed;
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
}

// What unordered writes leave behind, over many schedules.
std::set<float> outcomes(const std::function<std::unique_ptr<Chooser>(uint64_t)>& chooser, uint64_t count) {
  std::set<float> seen;
  for (uint64_t seed = 0; seed < count; ++seed) {
    Machine machine({.ranks = 1}, chooser(seed));
    at::Tensor x = at::zeros({1}, on(0));
    machine.synchronize_device(0);
    x.fill_(1);
    c10::Stream side = side_stream(0);
    {
      c10::StreamGuard guard(side);
      x.mul_(3).add_(5);
    }
    machine.synchronize_device(0);
    seen.insert(x.item<float>());
  }
  return seen;
}

TEST(Streams, EveryInterleavingOfARaceIsReached) {
  // 1 last; 1 first; 1 between the two.
  const std::set<float> all = {1, 8, 6};
  EXPECT_EQ(outcomes([](uint64_t seed) { return random_choices(seed); }, 60), all);
  EXPECT_EQ(outcomes([](uint64_t seed) { return pct(seed, 2, 8); }, 200), all);
}

// One stream writes twice, another once: three interleavings, and no others.
TEST(Streams, DepthFirstOrderEnumeratesTheInterleavings) {
  std::multiset<float> seen;
  std::optional<Schedule> next = Schedule();
  while (next) {
    Machine machine({.ranks = 1}, replay(*next));
    at::Tensor x = at::zeros({1}, on(0));
    machine.synchronize_device(0);
    expect_clean(machine.run([&](int) {
      c10::StreamGuard guard(side_stream(0));
      x.mul_(3).add_(5);
      c10::StreamGuard back(c10::Stream(c10::Stream::DEFAULT, modelled_device(0)));
      x.fill_(1);
    }));
    seen.insert(alias_on_cpu(x).item<float>());
    next = next_schedule(machine.schedule(), machine.widths());
  }
  EXPECT_EQ(seen, (std::multiset<float>{1, 6, 8}));
}

TEST(Streams, AnEventThatWasRecordedAgainIsTwoVersions) {
  Machine machine({.ranks = 1}, round_robin());
  c10::Stream first = side_stream(0), second = side_stream(0);
  at::Tensor x = at::zeros({4}, on(0));
  machine.synchronize_device(0);
  c10::Event event(modelled_kind);
  event.record(first);
  event.block(second);  // waits for the first version only
  {
    c10::StreamGuard guard(first);
    x.fill_(1);
  }
  event.record(first);
  {
    c10::StreamGuard guard(second);
    x.fill_(2);
  }
  machine.synchronize_device(0);
  EXPECT_EQ(raced(machine).size(), 1u);
}

TEST(Streams, AHostThatWaitedOrdersWhatItIssuesNext) {
  Machine machine({.ranks = 1}, round_robin());
  at::Tensor x = at::zeros({4}, on(0));
  here(0).synchronize();
  c10::StreamGuard guard(side_stream(0));
  x.fill_(2);
  machine.synchronize_device(0);
  EXPECT_TRUE(raced(machine).empty());
}

TEST(Streams, AQueryThatSaidYesOrdersWhatIsIssuedNext) {
  Machine machine({.ranks = 1}, round_robin());
  at::Tensor x = at::zeros({4}, on(0));
  expect_clean(machine.run([&](int) {
    x.fill_(1);
    c10::Event event(modelled_kind);
    event.record(here(0));
    while (!event.query()) {
    }
    c10::StreamGuard guard(side_stream(0));
    x.fill_(2);
  }));
  EXPECT_TRUE(raced(machine).empty());
}

TEST(Streams, TheDriverSeesADeadlock) {
  Machine machine({.ranks = 1}, round_robin());
  auto never = std::make_shared<Point>();
  never->name = named("an event nobody records");
  machine.wait(machine.stream(0, 0), never);
  std::string message = message_of([&] { machine.synchronize(machine.stream(0, 0)); });
  EXPECT_NE(message.find("stream 0 of sim:0 waits for an event nobody records"), std::string::npos) << message;
}

TEST(VirtualTime, StreamsRunSideBySideAndEventsJoinThem) {
  Rates unit = *rates_of("free");
  unit.kernel_start = 10;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Machine machine({.ranks = 1, .rates = unit}, random_choices(seed));
    at::Tensor x = at::empty({4}, on(0)), y = at::empty({4}, on(0));
    c10::Stream side = side_stream(0);
    x.fill_(1);
    {
      c10::StreamGuard guard(side);
      y.fill_(1).fill_(2).fill_(3);
    }
    order(side, here(0));
    x.fill_(2);
    machine.synchronize_device(0);
    EXPECT_EQ(machine.elapsed(), 40) << seed;  // whatever the schedule
  }
}

// Each host issues three kernels of 10 that wait for nobody; the second one begins 100 later, and every call takes 7.
TEST(VirtualTime, HostsTakeTimeAndBeginLate) {
  Rates unit = *rates_of("free");
  unit.kernel_start = 10;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Machine machine({.ranks = 2, .rates = unit, .host_call = 7, .skew = {0, 100}}, random_choices(seed));
    expect_clean(machine.run([&](int rank) {
      at::Tensor x = at::empty({4}, on(rank));
      x.fill_(1).fill_(2).fill_(3);
    }));
    // Calls end at 7, 14, 21: kernels at 7..17, 17..27, 27..37, and 100 later.
    EXPECT_EQ(machine.stream(0, 0).free_at, 37) << seed;
    EXPECT_EQ(machine.stream(1, 0).free_at, 137) << seed;
  }
}

// Where a call takes longer than a kernel, the kernels wait for the host.
TEST(VirtualTime, AStreamWaitsForASlowHost) {
  Rates unit = *rates_of("free");
  unit.kernel_start = 10;
  Machine machine({.ranks = 1, .rates = unit, .host_call = 25}, round_robin());
  at::Tensor x = at::empty({4}, on(0));
  x.fill_(1).fill_(2).fill_(3);
  machine.drain();
  EXPECT_EQ(machine.elapsed(), 85);
}

}  // namespace
}  // namespace reloadlab::sim::modelled
