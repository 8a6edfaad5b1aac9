// The series of reference/shared_series on modelled devices: several ranks, every schedule, races judged.
#include <set>

#include "reference/shared_series/series.h"
#include "sim/world/modelled/group.h"
#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

using shared_series::LayerIndex;
using shared_series::SeriesPolicy;
using shared_series::SharedSeries;

struct Shape {
  int ranks = 2;
  int64_t layers = 5, first = 0, prefetch = 1;
};

constexpr int64_t width = 8;  // weights are width x width
constexpr int64_t weight_bytes = width * width * 4;

// One rank's series and what its passes read. A layer's weight is full of one number, its version times 100 plus its index.
struct Engine {
  Shape shape;
  int rank;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  std::vector<model::LayerPtr> layers;
  std::unique_ptr<SharedSeries> series;
  at::Tensor input;
  std::vector<at::Tensor> outputs;  // one for each forward
  Status status;                    // the first failure

  Engine(const SeriesPolicy& policy, const Shape& wanted, int this_rank) : shape(wanted), rank(this_rank) {
    GroupOptions options{.name = "ring"};
    for (int each = 0; each < shape.ranks; ++each) options.ranks.push_back(each);
    group = make_group(options, rank);
    series = make_series(policy, {.name = "o", .group = group, .device = modelled_device(rank), .prefetch = shape.prefetch, .store = {}});
    input = at::ones({1, width}, on(rank));
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index) {
      auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = fmt::format("layer{}", index)}, "Linear");
      auto weight = std::make_shared<model::Parameter>();
      weight->tensor = at::empty({width, width}, on(rank));
      layer->assign("weight", weight);
      weight.reset();
      keep(series->register_layer(layer, {index}));
      layers.push_back(layer);
    }
    load(1);
    keep(series->finish_loading());
  }
  void keep(const Status& outcome) {
    if (status.ok()) status = outcome;
  }
  bool owns(int64_t index) const { return index % shape.ranks == rank; }
  at::Tensor& weight(int64_t index) { return layers[static_cast<size_t>(index - shape.first)]->tensor("weight")->tensor; }
  void load(int version) {
    for (int64_t index = shape.first; index < shape.first + shape.layers; ++index)
      if (owns(index)) weight(index).fill_(static_cast<double>(100 * version + index));
  }
  void forward(int64_t index) { outputs.push_back(at::mm(input, weight(index))); }
  void step(int64_t index) {
    keep(series->reach({index}));
    keep(series->wait({index}));
    if (!status.ok()) return;
    forward(index);
    keep(series->done({index}));
  }
  void pass(int64_t steps) {
    for (int64_t index = shape.first; index < shape.first + steps; ++index) step(index);
  }
  void pass() { pass(shape.layers); }
  // What each forward read; nan where it was poison.
  std::vector<float> reads() {
    std::vector<float> seen;
    for (const at::Tensor& output : outputs) seen.push_back(values(output)[0] / width);
    return seen;
  }
  std::vector<float> expected(std::vector<int> versions) const {
    std::vector<float> all;
    for (int version : versions)
      for (int64_t index = shape.first; index < shape.first + shape.layers; ++index)
        all.push_back(static_cast<float>(100 * version + index));
    return all;
  }
};

void on_engines(Machine& machine, const SeriesPolicy& policy, const Shape& shape, const std::function<void(Engine&)>& body) {
  expect_clean(machine.run([&](int rank) {
    Engine engine(policy, shape, rank);
    body(engine);
  }));
}

std::vector<Shape> shapes(bool shifted) {
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
    for (const Shape& shape : shapes(policy == SeriesPolicy::hardened())) {
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
  for (const Shape& shape : {Shape{2, 5, 0, 1}, Shape{3, 5, 31, 2}}) {
    Machine machine({.ranks = shape.ranks}, round_robin());
    on_engines(machine, SeriesPolicy::hardened(), shape, [&](Engine& engine) {
      // A layer that lives elsewhere is disposed of until a window first holds it.
      int64_t owned = 0, disposed = 0;
      for (int64_t offset = 0; offset < shape.layers; ++offset) {
        bool mine = engine.owns(shape.first + offset);
        owned += mine;
        disposed += !mine && engine.weight(shape.first + offset).numel() == 1;
      }
      int64_t windows = shape.prefetch + 1, placeholders = 4 * disposed, input = 4 * width;
      EXPECT_GT(disposed, 0);
      EXPECT_EQ(machine.memory().account(engine.rank)->live_bytes(), (owned + windows) * weight_bytes + placeholders + input);
      engine.pass();
      engine.outputs.clear();
      EXPECT_EQ(machine.memory().account(engine.rank)->live_bytes(), (owned + windows) * weight_bytes + input);
    });
  }
}

// SW3: with s no multiple of L the seed looks (s + k) mod L ahead.
TEST(SharedSeries, SeedFailsWhereItLooksTooFarAhead) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::seed(), {2, 5, 1, 1}, [](Engine& engine) {
    engine.pass();
    EXPECT_EQ(engine.status.code(), Code::failed);
    EXPECT_EQ(engine.status.message(), "no window holds layer 2");  // s + k
  });
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
      engine.keep(engine.series->wait({index}));
      engine.forward(index);
      engine.keep(engine.series->done({index}));
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
      engine.keep(engine.series->wait({0}));
      engine.forward(0);
      machine.synchronize_device(engine.rank);
    });
    return raced(machine);
  };
  EXPECT_TRUE(races(SeriesPolicy::hardened()).empty());
  std::vector<std::string> loose = races(SeriesPolicy::seed());
  EXPECT_TRUE(std::any_of(loose.begin(), loose.end(), [](const std::string& pair) { return pair.find("broadcast") != std::string::npos; }));
}

// H14: owners updated in place between two passes leave k * (n - 1) stale reads under seed, and every assertion is silent.
TEST(SharedSeries, AnUpdateOfOwnersLeavesStaleWindowsUnderSeed) {
  for (const Shape& shape : {Shape{2, 5, 0, 0}, Shape{3, 5, 0, 1}, Shape{4, 8, 0, 2}}) {
    Machine machine({.ranks = shape.ranks}, random_choices(11));
    int64_t stale = 0;
    on_engines(machine, SeriesPolicy::seed(), shape, [&](Engine& engine) {
      engine.pass();
      machine.synchronize_device(engine.rank);
      engine.load(2);
      engine.pass();
      EXPECT_TRUE(engine.status.ok());
      std::vector<float> seen = engine.reads(), wanted = engine.expected({1, 2});
      for (size_t i = 0; i < seen.size(); ++i) stale += seen[i] != wanted[i];
    });
    EXPECT_EQ(stale, shape.prefetch * (shape.ranks - 1));
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
