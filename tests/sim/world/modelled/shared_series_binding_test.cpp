// Which window a layer gets: addresses over passes, how far ahead a refill looks, and graphs, which repeat addresses and no host code.
#include <numeric>
#include <set>

#include "sim/world/modelled/capture.h"
#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

// Addresses that a rank's layers have in each of so many passes.
std::vector<std::vector<const void*>> addresses(const SeriesPolicy& policy, const Shape& shape, int passes) {
  std::vector<std::vector<const void*>> all(static_cast<size_t>(passes));
  Machine machine({.ranks = shape.ranks}, round_robin());
  on_engines(machine, policy, shape, [&](Engine& engine) {
    for (auto& pass : all)
      for (int64_t index = shape.first; index < shape.first + shape.layers; ++index) {
        engine.step(index);
        if (engine.rank == 0) pass.push_back(engine.weight(index).const_data_ptr());
      }
    EXPECT_TRUE(engine.status.ok()) << engine.status.message();
  });
  return all;
}

int64_t period(const std::vector<std::vector<const void*>>& passes) {
  for (size_t period = 1; period < passes.size(); ++period)
    if (passes[period] == passes[0]) return static_cast<int64_t>(period);
  return 0;
}

TEST(SeriesBinding, AddressesComeBackAfterThePeriod) {
  for (int64_t layers = 2; layers <= 7; ++layers)
    for (int64_t prefetch = 0; prefetch <= layers - 2; ++prefetch) {
      const Shape shape{3, layers, layers, prefetch};
      const int64_t rolling = (prefetch + 1) / std::gcd(layers, prefetch + 1);
      for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()})
        EXPECT_EQ(period(addresses(policy, shape, 9)), rolling) << layers << " " << prefetch;
      EXPECT_EQ(period(addresses(statically_bound(), shape, 9)), 1) << layers << " " << prefetch;
    }
}

TEST(SeriesBinding, EveryReadIsItsLayersWhenBoundStatically) {
  for (int ranks : {1, 2, 4})
    for (int64_t layers = 1; layers <= 7; ++layers)
      for (int64_t first : {int64_t{0}, int64_t{1}, layers - 1})
        for (int64_t prefetch = 0; prefetch <= std::max<int64_t>(0, layers - 2); ++prefetch) {
          SCOPED_TRACE(fmt::format("n={} L={} s={} k={}", ranks, layers, first, prefetch));
          Machine machine({.ranks = ranks}, random_choices(static_cast<uint64_t>(layers + prefetch)));
          on_engines(machine, statically_bound(), {ranks, layers, first, prefetch}, [](Engine& engine) {
            for (int pass = 0; pass < 3; ++pass) engine.pass();
            engine.expect_reads({1, 1, 1});
            engine.reload(2, Arrival::in_place);
            engine.pass();
            engine.expect_reads({1, 1, 1, 2});
          });
          EXPECT_TRUE(raced(machine).empty());
          ASSERT_FALSE(::testing::Test::HasFailure());
        }
}

// With m = L mod (k + 1) the last m refills look m - 1 ahead and the k + 1 - m before them k + m: owners that are updated in place
// before a layer is reached leave exactly those reads old that had been fetched before.
TEST(SeriesBinding, HowFarAheadStaticBindingLooks) {
  for (int64_t layers = 3; layers <= 7; ++layers)
    for (int64_t prefetch = 0; prefetch <= layers - 2; ++prefetch)
      for (int64_t update = 0; update < layers; ++update) {
        const int64_t slots = prefetch + 1, m = layers % slots;
        std::set<int64_t> fetched;  // of the layers of the next L steps, those that were fetched before reach(update)
        for (int64_t step = update - layers; step < update; ++step) {
          const int64_t last = (layers + step - 1) % layers;  // reach(step) refills the window of the layer before
          const bool end = last >= layers - m, near_end = !end && last >= layers - slots && m > 0;
          const int64_t ahead = end ? m - 1 : near_end ? prefetch + m : prefetch;
          if (step + ahead >= update) fetched.insert(step + ahead);
        }
        Machine machine({.ranks = 2}, round_robin());
        std::set<int64_t> old;
        on_engines(machine, statically_bound(), {2, layers, 0, prefetch}, [&](Engine& engine) {
          engine.pass();
          engine.pass(update);
          machine.synchronize_device(engine.rank);
          engine.load(2);
          machine.synchronize_device(engine.rank);
          engine.outputs.clear();
          for (int64_t step = update; step < update + layers; ++step) engine.step(step % layers);
          EXPECT_TRUE(engine.status.ok()) << engine.status.message();
          const std::vector<float> seen = engine.reads();
          for (size_t i = 0; i < seen.size(); ++i)
            if (seen[i] < 200) old.insert(update + static_cast<int64_t>(i));
        });
        EXPECT_EQ(old, fetched) << "L=" << layers << " k=" << prefetch << " before " << update;
      }
}

// A captured pass, replayed with other weights, and an eager pass at the end.
void capture_and_replay(const SeriesPolicy& policy, const Shape& shape, uint64_t seed, const std::function<void(Engine&, Graph&)>& after) {
  Machine machine({.ranks = shape.ranks}, random_choices(seed));
  std::vector<std::unique_ptr<Graph>> graphs;
  for (int rank = 0; rank < shape.ranks; ++rank) graphs.push_back(std::make_unique<Graph>());
  on_engines(machine, policy, shape, [&](Engine& engine) {
    Graph& graph = *graphs[static_cast<size_t>(engine.rank)];
    engine.pass();
    engine.outputs.clear();
    engine.keep(engine.series->drain());
    graph.capture_begin();
    engine.pass();
    engine.keep(engine.series->drain());
    graph.capture_end();
    EXPECT_TRUE(engine.status.ok()) << engine.status.message();
    if (!engine.status.ok()) return;
    after(engine, graph);
  });
  EXPECT_TRUE(raced(machine).empty());
}

TEST(SeriesBinding, ReplaysOfACapturedPassReadTheirLayers) {
  for (const Shape& shape : {Shape{2, 5, 1, 1}, Shape{3, 6, 0, 2}, Shape{2, 7, 31, 3}, Shape{2, 4, 0, 0}})
    for (uint64_t seed = 0; seed < 4; ++seed)
      capture_and_replay(statically_bound(), shape, seed, [](Engine& engine, Graph& graph) {
        for (int round = 0; round < 3; ++round) {
          graph.replay();
          EXPECT_EQ(engine.reads(), engine.expected({1}));
        }
        // An eager pass writes to new outputs; the graph's are the first ones.
        engine.pass();
        engine.expect_reads({1, 1});
        engine.reload(2, Arrival::in_place);
        engine.keep(engine.series->drain());
        graph.replay();
        EXPECT_EQ(engine.reads(), engine.expected({2, 1}));
        engine.pass();
        EXPECT_EQ(engine.reads(), engine.expected({2, 1, 2}));
        EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      });
}

// H27, H28: where k + 1 does not divide L, a rolling ring has moved on when the graph comes again, or the next pass without it.
TEST(SeriesBinding, APassWhoseWindowsTurnIsNotCaptured) {
  Machine machine({.ranks = 2}, random_choices(1));
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [&](Engine& engine) {
    for (int round = 0; round < 2; ++round) {
      Graph graph;
      graph.capture_begin();
      engine.pass();
      const Status refused = engine.series->drain();
      EXPECT_EQ(refused.code(), Code::misuse);
      graph.capture_end();
      EXPECT_EQ(engine.series->reach({0}).message(), refused.message());
      engine.keep(engine.series->reset());
      engine.outputs.clear();
      engine.pass();
      engine.expect_reads({1});
      engine.keep(engine.series->drain());
    }
  });
  EXPECT_TRUE(raced(machine).empty());
}

TEST(SeriesBinding, ACaptureWithoutDrainIsRefusedOnEveryRank) {
  Machine machine({.ranks = 2}, round_robin());
  std::vector<std::unique_ptr<Graph>> graphs;
  for (int rank = 0; rank < 2; ++rank) graphs.push_back(std::make_unique<Graph>());
  on_engines(machine, statically_bound(), {2, 5, 0, 1}, [&](Engine& engine) {
    Graph& graph = *graphs[static_cast<size_t>(engine.rank)];
    engine.pass();
    graph.capture_begin();
    engine.pass();
    EXPECT_EQ(engine.status.code(), Code::failed);
    EXPECT_NE(engine.status.message().find("recorded before the capture began"), std::string::npos) << engine.status.message();
    EXPECT_NE(message_of([&] { graph.capture_end(); }), "nothing thrown");
    // What was captured never ran; reset() issues everything anew.
    engine.status = engine.series->reset();
    engine.outputs.clear();
    engine.pass();
    engine.expect_reads({1});
  });
}

}  // namespace
}  // namespace reloadlab::sim::modelled
