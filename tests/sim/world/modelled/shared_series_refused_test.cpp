// Reloads that come to nothing: every rank refuses, the old version goes on after a reset(), and ranks stay alike.
#include <ATen/ops/zeros.h>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "sim/world/modelled/capture.h"
#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

Status load_of_shape(Engine& engine, int64_t index, std::vector<int64_t> shape) {
  model::Parameter& parameter = *engine.layer(index).tensor("weight");
  return (*parameter.loader)(parameter, at::zeros(shape, on(engine.rank)), {});
}

// H16: before finish_loading() as well.
TEST(SeriesRefused, AWeightThatItsOwnerCannotTakeIsRefusedOnEveryRank) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()}) {
    auto store = c10::make_intrusive<c10d::HashStore>();
    auto misfits = [](Engine& engine) {
      for (int64_t index = 0; index < 4; ++index)
        for (int64_t rows : {width / 2, 2 * width}) {
          EXPECT_EQ(load_of_shape(engine, index, {rows, width}).code(), Code::failed);
        }
    };
    Machine machine({.ranks = 3}, random_choices(4));
    on_engines(machine, policy, {3, 4, 0, 1},
               [&](Engine& engine) {
                 misfits(engine);
                 engine.load_checkpoint(1);
                 engine.keep(engine.series->finish_loading());
                 engine.keep(engine.series->begin_reload(Arrival::checkpoint));
                 misfits(engine);
                 engine.keep(engine.series->reset());
                 engine.pass();
                 engine.reload(2, Arrival::checkpoint);
                 engine.pass();
                 engine.expect_reads({1, 2});
               },
               {.store = store, .load = false});
    EXPECT_TRUE(raced(machine).empty());
  }
}

// One rank gives a reload up at once; the others deliver a part, and are told that it is not enough.
TEST(SeriesRefused, AResetMakesRanksAlikeThatGaveAReloadUpInDifferentPlaces) {
  auto store = c10::make_intrusive<c10d::HashStore>();
  Machine machine({.ranks = 3}, random_choices(5));
  on_engines(machine, SeriesPolicy::hardened(), {3, 4, 0, 1},
             [&](Engine& engine) {
               engine.pass();
               engine.outputs.clear();
               engine.keep(engine.series->begin_reload(Arrival::checkpoint));
               if (engine.rank > 0) {
                 engine.keep(engine.load_one(2, 0));
                 EXPECT_EQ(engine.series->reload().code(), Code::rejected);
               }
               engine.keep(engine.series->reset());
               engine.pass();
               engine.reload(2, Arrival::in_place);
               engine.pass();
               engine.expect_reads({1, 2});
               EXPECT_TRUE(engine.series->compare_sequences().ok()) << engine.series->compare_sequences().message();
             },
             {.store = store});
}

// H27: what the capture had issued never arrives. A drain says so, once; a pass comes after a reset() or a reload.
TEST(SeriesRefused, BehindACaptureThatFailedAPassNeedsAResetOrAReload) {
  Machine machine({.ranks = 2}, random_choices(6));
  on_engines(machine, SeriesPolicy::hardened(), {2, 4, 0, 1}, [](Engine& engine) {
    for (int version : {1, 2}) {
      Graph graph;
      graph.capture_begin();
      engine.pass();
      EXPECT_NE(message_of([&] { graph.capture_end(); }), "nothing thrown");  // nobody has joined the broadcasts
      EXPECT_EQ(engine.series->drain().code(), Code::failed);
      EXPECT_TRUE(engine.series->drain().ok());
      EXPECT_EQ(engine.series->reach({0}).message(), "what was in flight could not be waited for: reset() begins anew");
      if (version == 1) engine.keep(engine.series->reset());
      if (version == 2) engine.reload(2, Arrival::in_place);
      engine.outputs.clear();
      engine.pass();
      engine.expect_reads({version});
      engine.keep(engine.series->drain());
    }
  });
}

// Before anything is sent, and the same on all ranks: what lacks can come, and what comes again counts once.
TEST(SeriesRefused, AFirstLoadWithoutALayerIsRejectedOnEveryRankAndCanGoOn) {
  Machine machine({.ranks = 2}, random_choices(3));
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1},
             [](Engine& engine) {
               for (int64_t index : {0, 1, 2, 4, 0}) engine.keep(engine.load_one(1, index));
               const Status rejected = engine.series->finish_loading();
               EXPECT_EQ(rejected.code(), Code::rejected);
               EXPECT_EQ(rejected.message(), "of layer3 came 0 pieces, and 1 of the layers that are like it: what lacks can still come");
               EXPECT_EQ(engine.series->reach(LayerIndex{0}).code(), Code::misuse);
               engine.keep(engine.load_one(1, 3));
               engine.keep(engine.series->finish_loading());
               engine.pass();
               engine.expect_reads({1});
               engine.outputs.clear();
               engine.reload(2, Arrival::checkpoint);
               engine.pass();
               engine.expect_reads({2});
             },
             {.load = false});
  EXPECT_TRUE(raced(machine).empty());
}

// A pass that was drained is over, also where its last layer is the next one's first.
TEST(SeriesRefused, NoLayerOfADrainedPassIsReadAgain) {
  for (int64_t layers : {1, 4}) {
    Machine machine({.ranks = 2}, random_choices(7));
    on_engines(machine, SeriesPolicy::hardened(), {2, layers, 0, 0}, [&](Engine& engine) {
      engine.pass();
      EXPECT_TRUE(engine.forward(layers - 1).ok());  // a second reader
      engine.keep(engine.series->drain());
      EXPECT_EQ(engine.forward(layers - 1).code(), Code::misuse);
      engine.outputs.clear();
      for (int64_t index = 0; index < layers; ++index) {
        engine.keep(engine.series->reach({index}));
        engine.keep(engine.series->drain());
        engine.keep(engine.forward(index));
      }
      engine.expect_reads({1});
    });
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
