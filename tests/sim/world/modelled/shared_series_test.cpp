// The series of reference/shared_series on modelled devices: several ranks, every schedule, races judged.
#include <set>

#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

std::vector<Shape> shapes_of(bool shifted) {
  std::vector<Shape> all;
  for (int ranks : {1, 2, 3})
    for (int64_t layers : {2, 3, 5})
      for (int64_t first : {int64_t{0}, int64_t{1}, layers - 1, int64_t{31}})
        for (int64_t prefetch = 0; prefetch <= layers - 2; ++prefetch)
          if (first == 0 || shifted) all.push_back({ranks, layers, first, prefetch});
  return all;
}

TEST(SharedSeries, EveryReadIsItsLayersWhateverTheSchedule) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()}) {
    for (const Shape& shape : shapes_of(policy == SeriesPolicy::hardened())) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(fmt::format("{}: n={} L={} s={} k={} seed {}", spell_policy(policy), shape.ranks, shape.layers, shape.first,
                                 shape.prefetch, seed));
        Machine machine({.ranks = shape.ranks}, random_choices(seed));
        on_engines(machine, policy, shape, [](Engine& engine) {
          for (int pass = 0; pass < 3; ++pass) engine.pass();
          EXPECT_TRUE(engine.status.ok()) << engine.status.message();
          EXPECT_EQ(engine.reads(), engine.expected({1, 1, 1}));
        });
        EXPECT_TRUE(raced(machine).empty());
        ASSERT_FALSE(::testing::Test::HasFailure());
      }
    }
  }
}

TEST(SharedSeries, ResidentBytesAreOwnedLayersAndWindows) {
  for (auto [policy, shape] : {std::pair(SeriesPolicy::seed(), Shape{2, 5, 0, 1}), std::pair(SeriesPolicy::hardened(), Shape{2, 5, 0, 1}),
                               std::pair(statically_bound(), Shape{3, 5, 31, 2})}) {
    Machine machine({.ranks = shape.ranks}, round_robin());
    on_engines(machine, policy, shape, [&](Engine& engine) {
      // A layer that lives elsewhere is disposed of until a window first holds it.
      int64_t owned = 0, disposed = 0;
      for (int64_t offset = 0; offset < shape.layers; ++offset) {
        bool mine = engine.owns(shape.first + offset);
        owned += mine;
        disposed += !mine && engine.weight(shape.first + offset).numel() == 1;
      }
      const int64_t its_template = policy == SeriesPolicy::seed() ? 4 : 0;  // an element of it
      int64_t windows = shape.prefetch + 1, placeholders = 4 * disposed, input = 4 * width + its_template;
      EXPECT_GT(disposed, 0);
      EXPECT_EQ(machine.memory().account(engine.rank)->live_bytes(), (owned + windows) * weight_bytes + placeholders + input);
      engine.pass();
      engine.outputs.clear();
      EXPECT_EQ(machine.memory().account(engine.rank)->live_bytes(), (owned + windows) * weight_bytes + input);
    });
  }
}

// SW3: with s no multiple of L the seed looks (s + k) mod L ahead: more than k fails an assertion in the first pass.
TEST(SharedSeries, SeedFailsWhereItLooksTooFarAhead) {
  for (int64_t layers = 3; layers <= 6; ++layers)
    for (int64_t first = 0; first <= 2 * layers; ++first)
      for (int64_t prefetch = 0; prefetch <= layers - 2; ++prefetch) {
        const int64_t ahead = (first + prefetch) % layers;
        Machine machine({.ranks = 2}, round_robin());
        on_engines(machine, SeriesPolicy::seed(), {2, layers, first, prefetch}, [&](Engine& engine) {
          engine.pass();
          EXPECT_EQ(engine.status.ok(), ahead <= prefetch) << layers << " " << first << " " << prefetch;
          if (ahead <= prefetch) return;
          // At L - 1 ahead the second reach finds its target in the window after.
          const bool found = ahead == layers - 1 && prefetch > 0;
          EXPECT_EQ(engine.status.message(), found ? fmt::format("window 0 already holds layer {}", first)
                                                   : fmt::format("no window holds layer {}", first + prefetch));
          EXPECT_EQ(engine.status.code(), Code::failed);
        });
      }
}

// A forward on a side stream that nobody joins: whether the window is still the layer's is luck under seed.
struct SideOutcome {
  size_t races = 0;
  bool wrong = false;
};

SideOutcome forward_on_side_stream(const SeriesPolicy& policy, uint64_t seed) {
  SideOutcome outcome;
  Machine machine({.ranks = 2}, random_choices(seed));
  on_engines(machine, policy, {2, 5, 0, 1}, [&](Engine& engine) {
    c10::Stream side = side_stream(engine.rank);
    for (int64_t index = 0; index < 5; ++index) {
      engine.keep(engine.series->reach({index}));
      order(here(engine.rank), side);
      c10::StreamGuard guard(side);
      engine.keep(engine.forward(index));
    }
    machine.synchronize_device(engine.rank);
    outcome.wrong |= engine.reads() != engine.expected({1});
  });
  outcome.races = machine.races().races().size();
  return outcome;
}

TEST(SharedSeries, ARefillWaitsForReadersOnOtherStreamsOnlyWhenHardened) {
  bool wrong = false;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SideOutcome loose = forward_on_side_stream(SeriesPolicy::seed(), seed), firm = forward_on_side_stream(SeriesPolicy::hardened(), seed);
    EXPECT_GT(loose.races, 0u) << seed;  // from any one schedule
    wrong |= loose.wrong;
    EXPECT_EQ(firm.races, 0u) << seed;
    EXPECT_FALSE(firm.wrong) << seed;
  }
  EXPECT_TRUE(wrong);
}

// SW4: the second reader waits too, and is ordered only when hardened.
TEST(SharedSeries, EveryReaderIsOrderedAfterTheBroadcastOnlyWhenHardened) {
  auto races = [](const SeriesPolicy& policy) {
    Machine machine({.ranks = 2}, round_robin());
    on_engines(machine, policy, {2, 3, 0, 0}, [&](Engine& engine) {
      c10::Stream side = side_stream(engine.rank);
      engine.step(0);
      c10::StreamGuard guard(side);
      engine.keep(engine.forward(0));
      machine.synchronize_device(engine.rank);
    });
    return raced(machine);
  };
  EXPECT_TRUE(races(SeriesPolicy::hardened()).empty());
  std::vector<std::string> loose = races(SeriesPolicy::seed());
  EXPECT_TRUE(std::any_of(loose.begin(), loose.end(), [](const std::string& pair) { return pair.find("broadcast") != std::string::npos; }));
}

// H14: owners updated in place between two passes leave ((s + k) mod L) * (n - 1) stale reads under seed, and every assertion is silent.
TEST(SharedSeries, AnUpdateOfOwnersLeavesStaleWindowsUnderSeed) {
  for (int ranks : {1, 2, 3, 4})
    for (int64_t layers : {4, 5, 8})
      for (int64_t first = 0; first <= layers; ++first)
        for (int64_t prefetch = 0; prefetch <= layers - 2; ++prefetch) {
          const int64_t ahead = (first + prefetch) % layers;
          if (ahead > prefetch) continue;
          Machine machine({.ranks = ranks}, random_choices(11));
          int64_t stale = 0;
          on_engines(machine, SeriesPolicy::seed(), {ranks, layers, first, prefetch}, [&](Engine& engine) {
            engine.pass();
            machine.synchronize_device(engine.rank);
            engine.load(2);
            engine.pass();
            EXPECT_TRUE(engine.status.ok());
            std::vector<float> seen = engine.reads(), wanted = engine.expected({1, 2});
            for (size_t i = 0; i < seen.size(); ++i) stale += seen[i] != wanted[i];
          });
          EXPECT_EQ(stale, ahead * (ranks - 1)) << layers << " " << first << " " << prefetch;
        }
}

TEST(SharedSeries, ReloadMakesEveryReadTheNewVersion) {
  for (const Shape& shape : {Shape{2, 5, 0, 0}, Shape{3, 5, 1, 1}, Shape{4, 8, 31, 2}}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      Machine machine({.ranks = shape.ranks}, random_choices(seed));
      on_engines(machine, SeriesPolicy::hardened(), shape, [&](Engine& engine) {
        engine.pass();
        engine.keep(engine.series->begin_reload(shared_series::Arrival::in_place));
        engine.load(2);
        engine.keep(engine.series->reload());
        // What a window held before is not the new version.
        EXPECT_EQ(engine.series->wait({shape.first + shape.prefetch}).code(), Code::misuse);
        EXPECT_EQ(engine.series->wait({shape.first + shape.layers - 1}).code(), Code::misuse);
        engine.pass();
        EXPECT_TRUE(engine.status.ok()) << engine.status.message();
        EXPECT_EQ(engine.reads(), engine.expected({1, 2}));
      });
      EXPECT_TRUE(raced(machine).empty()) << seed;
    }
  }
}

TEST(SharedSeries, AnUpdateWithoutADrainIsARace) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [](Engine& engine) {
    engine.pass();
    engine.load(2);
  });
  EXPECT_GT(raced(machine).size(), 0u);
}

TEST(SharedSeries, APassThatStoppedAnywhereGoesOnAfterReset) {
  for (int64_t stop = 1; stop < 5; ++stop) {
    Machine machine({.ranks = 3}, random_choices(static_cast<uint64_t>(stop)));
    on_engines(machine, SeriesPolicy::hardened(), {3, 5, 1, 2}, [&](Engine& engine) {
      engine.pass(stop);
      Status refused = engine.series->reach({1});
      EXPECT_EQ(refused.code(), Code::misuse);
      EXPECT_EQ(refused.message(), fmt::format("layer 1 is reached where {} is next: reset() begins a pass anew", stop + 1));
      engine.keep(engine.series->reset());
      engine.outputs.clear();
      engine.pass();
      engine.pass();
      EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      EXPECT_EQ(engine.reads(), engine.expected({1, 1}));
    });
    EXPECT_TRUE(raced(machine).empty()) << stop;
  }
}

TEST(SharedSeries, APassThatStoppedLeavesTheSeedOutOfPhase) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::seed(), {2, 5, 0, 1}, [](Engine& engine) {
    engine.pass(2);
    engine.pass();
    EXPECT_EQ(engine.status.code(), Code::failed);
    EXPECT_EQ(engine.series->reset().code(), Code::unsupported);
  });
}

// H23: the only window holds the only layer.
TEST(SharedSeries, OneLayerFailsItsSecondPassUnderSeed) {
  auto outcome = [](const SeriesPolicy& policy) {
    Machine machine({.ranks = 2}, round_robin());
    std::string message;
    on_engines(machine, policy, {2, 1, 0, 0}, [&](Engine& engine) {
      engine.pass();
      EXPECT_TRUE(engine.status.ok());
      engine.pass();
      message = engine.status.message();
      if (!engine.status.ok()) return;
      EXPECT_EQ(engine.reads(), engine.expected({1, 1}));
    });
    return message;
  };
  EXPECT_EQ(outcome(SeriesPolicy::seed()), "window 0 already holds layer 0");
  EXPECT_EQ(outcome(SeriesPolicy::hardened()), "");
}

TEST(SharedSeries, LookAheadsThatDoNotFitAreRefused) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 4},
             [](Engine& engine) { EXPECT_EQ(engine.status.message(), "a look-ahead of 4 in a series of 5 layers: at most 3"); });
}

// The closed form of a pass: k = 0: N (max(P, Tb) + Q), here with P = 0.
TEST(SharedSeries, TheTimeOfAPassIsTheClosedForms) {
  for (int64_t prefetch : {0, 1, 2}) {
    Rates rates = *rates_of("free");
    rates.kernel_start = 30;
    rates.collective_start = 100;
    Machine machine({.ranks = 2, .rates = rates}, random_choices(3));
    std::vector<Picoseconds> before(2), after(2);
    on_engines(machine, SeriesPolicy::seed(), {2, 6, 0, prefetch}, [&](Engine& engine) {
      auto now = [&] {
        machine.synchronize_device(engine.rank);
        return machine.stream(engine.rank, 0).free_at;
      };
      before[static_cast<size_t>(engine.rank)] = now();
      engine.pass();
      machine.synchronize(machine.stream(engine.rank, 0));
      after[static_cast<size_t>(engine.rank)] = machine.stream(engine.rank, 0).free_at;
    });
    int64_t layers = 6, broadcast = 100, compute = 30;
    int64_t expected =
        prefetch == 0 ? layers * (broadcast + compute) : std::max(layers * compute, (layers - prefetch) * broadcast + compute);
    EXPECT_EQ(std::max(after[0], after[1]) - std::max(before[0], before[1]), expected) << prefetch;
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
