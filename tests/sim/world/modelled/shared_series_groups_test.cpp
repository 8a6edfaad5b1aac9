// Several series, several models, groups of some of the ranks, communicators of several kinds; and ranks that do not issue the same.
#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

void expect_same_passes(const std::vector<Engine*>& engines, int passes) {
  for (Engine* engine : engines) engine->expect_reads(std::vector<int>(static_cast<size_t>(passes), 1));
}

// Layer by layer, now of one series, now of the other.
void interleaved_pass(Engine& one, Engine& other) {
  for (int64_t offset = 0; offset < std::max(one.shape.layers, other.shape.layers); ++offset) {
    if (offset < one.shape.layers) one.step(one.shape.first + offset);
    if (offset < other.shape.layers) other.step(other.shape.first + offset);
  }
}

// Two matrices of one model, or one of each of two models: each series has its own windows, names and indices.
TEST(SeriesGroups, TwoSeriesOnOneCommunicatorOrOnTwo) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened(), statically_bound()})
    for (bool shared : {true, false})
      for (uint64_t seed = 0; seed < 5; ++seed) {
        Machine machine({.ranks = 3}, random_choices(seed));
        expect_clean(machine.run([&](int rank) {
          auto group = ring_group("first", 3, rank), second = shared ? group : ring_group("second", 3, rank);
          Engine o(policy, {3, 6, 0, 1}, rank, {.name = "o", .group = group});
          Engine q(policy, {3, 4, 0, 2}, rank, {.name = "q_b", .group = second});
          for (int pass = 0; pass < 3; ++pass) interleaved_pass(o, q);
          expect_same_passes({&o, &q}, 3);
        }));
        EXPECT_TRUE(raced(machine).empty());
        ASSERT_FALSE(::testing::Test::HasFailure());
      }
}

TEST(SeriesGroups, OneSeriesIsReloadedWhileTheOtherGoesOn) {
  Machine machine({.ranks = 2}, random_choices(7));
  expect_clean(machine.run([&](int rank) {
    auto group = ring_group("ring", 2, rank);
    Engine o(SeriesPolicy::hardened(), {2, 6, 0, 1}, rank, {.name = "o", .group = group});
    Engine q(SeriesPolicy::hardened(), {2, 6, 0, 2}, rank, {.name = "q_b", .group = group});
    interleaved_pass(o, q);
    q.step(0);
    o.reload(2, Arrival::checkpoint);
    for (int64_t index = 1; index < 6; ++index) q.step(index);
    interleaved_pass(o, q);
    o.expect_reads({1, 2});
    q.expect_reads({1, 1, 1});
  }));
  EXPECT_TRUE(raced(machine).empty());
}

// Ranks 2, 3 and 5 of six share one series, the others another: roots are ranks of the group, owners as well.
TEST(SeriesGroups, GroupsOfSomeOfTheRanks) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Machine machine({.ranks = 6}, random_choices(seed));
    expect_clean(machine.run([&](int rank) {
      const std::vector<int> some{2, 3, 5}, others{0, 1, 4};
      const bool inside = std::count(some.begin(), some.end(), rank) > 0;
      auto group = make_group({.name = inside ? "some" : "others", .ranks = inside ? some : others}, rank);
      Engine engine(SeriesPolicy::hardened(), {3, 5, 1, inside ? 1 : 2}, rank, {.group = group});
      engine.pass();
      engine.reload(2, Arrival::in_place);
      engine.pass();
      engine.expect_reads({1, 2});
    }));
    EXPECT_TRUE(raced(machine).empty());
  }
}

TEST(SeriesGroups, OneToSixteenRanks) {
  for (int ranks : {1, 2, 5, 8, 16})
    for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()}) {
      Machine machine({.ranks = ranks}, random_choices(static_cast<uint64_t>(ranks)));
      on_engines(machine, policy, {ranks, 7, 3, 2}, [](Engine& engine) {
        for (int pass = 0; pass < 3; ++pass) engine.pass();
        engine.expect_reads({1, 1, 1});
      });
      EXPECT_TRUE(raced(machine).empty());
    }
}

// Two workers run operations that nobody has waited for in any order.
TEST(SeriesGroups, ACommunicatorThatOrdersNothing) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    expect_clean(machine.run([&](int rank) {
      auto group = make_group({.name = "cpu", .ranks = {0, 1}, .mode = GroupMode::gloo, .workers = 2}, rank);
      Engine engine(SeriesPolicy::hardened(), {2, 5, 0, 2}, rank, {.group = group});
      engine.pass();
      for (int64_t index = 0; index < 5; ++index) engine.keep(engine.series->reach({index}));  // nobody reads
      engine.pass();
      engine.keep(engine.series->reset());
      engine.pass();
      engine.expect_reads({1, 1, 1});
    }));
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
}

// Every rank reads on several streams of its own choice; readers of one layer overlap.
TEST(SeriesGroups, ReadersOnSeveralStreams) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    on_engines(machine, seed % 2 ? statically_bound() : SeriesPolicy::hardened(), {2, 5, 1, 1}, [&](Engine& engine) {
      std::vector<c10::Stream> streams{here(engine.rank), side_stream(engine.rank), side_stream(engine.rank)};
      for (const c10::Stream& stream : streams) order(here(engine.rank), stream);
      std::vector<float> wanted;
      for (int64_t step = 0; step < 15; ++step) {
        const int64_t index = 1 + step % 5;
        engine.keep(engine.series->reach({index}));
        for (size_t reader = 0; reader < 3; ++reader) {
          c10::StreamGuard guard(streams[(static_cast<size_t>(step) + reader) % 3]);
          engine.keep(engine.forward(index));
          wanted.push_back(static_cast<float>(Engine::value(1, index)));
        }
      }
      engine.keep(engine.series->drain());
      engine.keep(engine.series->drain());
      machine.synchronize_device(engine.rank);
      EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      EXPECT_EQ(engine.reads(), wanted);
    });
    EXPECT_TRUE(raced(machine).empty()) << seed;
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

// What comes after a drain comes after every reader and every broadcast, whatever stream they were on.
TEST(SeriesGroups, ADrainOrdersOwnersUpdatesAfterReadersElsewhere) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [&](Engine& engine) {
      c10::Stream side = side_stream(engine.rank);
      order(here(engine.rank), side);
      {
        c10::StreamGuard guard(side);
        engine.pass();
      }
      engine.reload(2, Arrival::in_place);
      engine.pass();
      machine.synchronize_device(engine.rank);
      engine.expect_reads({1, 2});
    });
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
}

// Steps at random: whole and broken passes, reloads, resets, drains, side streams.
TEST(SeriesGroups, RandomLives) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Shape shape{1 + static_cast<int>(seed % 4), 3 + static_cast<int64_t>(seed % 5), static_cast<int64_t>(seed % 7),
                      static_cast<int64_t>(seed % 2)};
    Machine machine({.ranks = shape.ranks}, random_choices(seed));
    on_engines(machine, seed % 3 ? SeriesPolicy::hardened() : statically_bound(), shape, [&](Engine& engine) {
      Prng prng(seed);  // the same choices on every rank
      int version = 1;
      std::vector<float> wanted;
      auto pass = [&](int64_t steps) {
        engine.pass(steps);
        for (int64_t offset = 0; offset < steps; ++offset)
          wanted.push_back(static_cast<float>(Engine::value(version, shape.first + offset)));
      };
      for (int act = 0; act < 12; ++act) {
        const uint64_t what = prng.below(5);
        if (what < 2) pass(shape.layers);
        if (what == 2) {
          pass(static_cast<int64_t>(prng.below(static_cast<uint64_t>(shape.layers))));
          engine.keep(engine.series->reset());
        }
        if (what == 3) engine.reload(++version, prng.below(2) ? Arrival::in_place : Arrival::checkpoint);
        if (what == 4) engine.keep(engine.series->drain());
      }
      EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      EXPECT_EQ(engine.reads(), wanted);
    });
    EXPECT_TRUE(raced(machine).empty()) << seed;
    ASSERT_FALSE(::testing::Test::HasFailure()) << seed;
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
