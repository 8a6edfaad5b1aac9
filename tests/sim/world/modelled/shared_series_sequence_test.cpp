// Ranks that do not issue the same broadcasts: the first operation that differs is named, at the end of a pass or on a timeout.
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

// Two series with equal weights on one communicator. One rank swaps them in its second pass: same roots, same bytes, so that nothing
// hangs and each series gets the other's weights.
void swap_on_last_rank(Engine& one, Engine& other, int rank) {
  for (int64_t index = 0; index < one.shape.layers; ++index) {
    Engine &first = rank == 2 && index == 3 ? other : one, &second = &first == &one ? other : one;
    first.step(index);
    second.step(index);
  }
}

TEST(SeriesSequence, ASwapOfTwoSeriesIsNamedAtTheEndOfThePass) {
  auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::string> asked(3);
  int told = 0;
  Machine machine({.ranks = 3}, random_choices(2));
  expect_clean(machine.run([&](int rank) {
    auto group = ring_group("ring", 3, rank);
    Engine o(SeriesPolicy::hardened(), {3, 6, 0, 1}, rank, {.name = "o", .group = group, .store = store});
    Engine q(SeriesPolicy::hardened(), {3, 6, 0, 1}, rank, {.name = "q_b", .group = group, .store = store});
    for (int64_t index = 0; index < 6; ++index) o.step(index), q.step(index);
    EXPECT_TRUE(o.status.ok() && q.status.ok());
    swap_on_last_rank(o, q, rank);
    c10d::BarrierOptions all;
    all.device = modelled_device(rank);
    group->barrier(all)->wait();
    machine.synchronize_device(rank);
    for (Engine* engine : {&o, &q}) {
      if (engine->status.ok()) continue;
      ++told;
      EXPECT_NE(engine->status.message().find("operation 30 differs: "), std::string::npos) << engine->status.message();
      EXPECT_EQ(engine->series->reach({0}).message(), engine->status.message());
    }
    asked[static_cast<size_t>(rank)] = o.series->compare_sequences().message();
  }));
  EXPECT_GT(told, 0);
  // Operations: twice 6 in building, twice 6 in the first pass, and six of the second pass before the swap.
  const std::string o = "broadcasts layer 4 of \"o\", version 1, 256 bytes from rank 1",
                    q = "broadcasts layer 4 of \"q_b\", version 1, 256 bytes from rank 1";
  EXPECT_EQ(asked[0], "operation 30 differs: rank 0 " + o + "; rank 2 " + q);
  EXPECT_EQ(asked[1], "operation 30 differs: rank 1 " + o + "; rank 2 " + q);
  EXPECT_EQ(asked[2], "operation 30 differs: rank 2 " + q + "; rank 0 " + o);
}

// A rank that skips a pass leaves the others waiting. On a timeout they find out for whom, and with what.
TEST(SeriesSequence, ARankThatStoodStillIsNamedOnATimeout) {
  auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::string> asked(2);
  Machine machine({.ranks = 2}, round_robin());
  RunReport report = machine.run([&](int rank) {
    Engine engine(SeriesPolicy::hardened(), {2, 4, 0, 1}, rank, {.store = store});
    engine.reload(2, Arrival::in_place);
    engine.pass();
    machine.synchronize_device(rank);
    if (rank == 0) engine.step(0);
    (void)engine.series->compare_sequences();
    asked[static_cast<size_t>(rank)] = engine.series->compare_sequences().message();
    EXPECT_TRUE(engine.status.ok()) << engine.status.message();
  });
  EXPECT_EQ(asked[0], "rank 1 has published 9 operations, and rank 0 went on: layer 1 of \"o\", version 2, 256 bytes from rank 1");
  EXPECT_EQ(asked[1], "");
}

TEST(SeriesSequence, EqualSequencesAndNoStoreSayNothing) {
  auto store = c10::make_intrusive<c10d::HashStore>();
  Machine machine({.ranks = 3}, random_choices(3));
  on_engines(machine, SeriesPolicy::hardened(), {3, 5, 1, 2},
             [&](Engine& engine) {
               for (int pass = 0; pass < 40; ++pass) engine.pass();  // more operations than are remembered
               engine.reload(2, Arrival::checkpoint);
               engine.pass();
               machine.synchronize_device(engine.rank);
               EXPECT_TRUE(engine.status.ok()) << engine.status.message();
               EXPECT_TRUE(engine.series->compare_sequences().ok());
             },
             {.store = store});
  on_engines(machine, SeriesPolicy::hardened(), {3, 5, 1, 2},
             [](Engine& engine) { EXPECT_EQ(engine.series->compare_sequences().code(), Code::unsupported); });
  on_engines(machine, SeriesPolicy::seed(), {3, 5, 0, 2},
             [](Engine& engine) { EXPECT_EQ(engine.series->compare_sequences().code(), Code::unsupported); }, {.store = store});
}

// What differs may be older than what is remembered.
TEST(SeriesSequence, ADifferenceThatIsForgottenIsStillOne) {
  auto store = c10::make_intrusive<c10d::HashStore>();
  Machine machine({.ranks = 2}, random_choices(3));
  std::string said;
  expect_clean(machine.run([&](int rank) {
    auto group = ring_group("ring", 2, rank);
    Engine o(SeriesPolicy::hardened(), {2, 4, 0, 0}, rank, {.name = "o", .group = group});
    Engine q(SeriesPolicy::hardened(), {2, 4, 0, 0}, rank, {.name = "q_b", .group = group, .store = store});
    Engine &first = rank == 0 ? o : q, &second = rank == 0 ? q : o;
    for (int64_t index = 0; index < 4; ++index) first.step(index), second.step(index);
    for (int pass = 0; pass < 40; ++pass) o.pass();
    machine.synchronize_device(rank);
    (void)q.series->compare_sequences();
    if (Status found = q.series->compare_sequences(); !found.ok()) said = found.message();
  }));
  EXPECT_NE(said.find("issued different broadcasts before operation"), std::string::npos) << said;
}

}  // namespace
}  // namespace reloadlab::sim::modelled
