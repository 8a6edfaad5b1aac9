// New weights: written by owners over what they hold, or through loaders as checkpoints bring them.
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>

#include "reference/model/kind.h"
#include "sim/world/modelled/memory.h"
#include "tests/sim/world/modelled/series_engine.h"
#include "tests/sim/world/modelled/series_methods.h"

namespace reloadlab::sim::modelled {
namespace {

const std::vector<Shape> reloaded_shapes{{2, 5, 0, 0}, {3, 5, 1, 1}, {4, 8, 31, 2}, {2, 1, 0, 0}};

EngineOptions with(std::function<std::shared_ptr<model::QuantMethod>()> make) {
  return {.dress = [make](model::Layer& layer, int64_t) { layer.quant_method = make(); }};
}

// H14, H15: between any two steps, in either way.
TEST(SeriesReload, AReloadAnywhereMakesEveryLaterReadTheNewVersion) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()})
    for (Arrival arrival : {Arrival::in_place, Arrival::checkpoint})
      for (const Shape& shape : reloaded_shapes)
        for (int64_t stop = 0; stop <= shape.layers; ++stop) {
          Machine machine({.ranks = shape.ranks}, random_choices(static_cast<uint64_t>(stop)));
          on_engines(machine, policy, shape, [&](Engine& engine) {
            engine.pass();
            engine.pass(stop);
            engine.outputs.clear();
            engine.reload(2, arrival);
            engine.pass();
            engine.reload(3, arrival);
            engine.pass();
            engine.pass();
            engine.expect_reads({2, 3, 3});
          });
          EXPECT_TRUE(raced(machine).empty()) << spell_policy(policy) << " " << stop;
          ASSERT_FALSE(::testing::Test::HasFailure());
        }
}

TEST(SeriesReload, PrimingCostsKBroadcastsAndNothingMore) {
  for (const Shape& shape : reloaded_shapes) {
    auto issued = [&](Arrival arrival) {
      int64_t count = 0;
      Machine machine({.ranks = shape.ranks}, round_robin());
      on_engines(machine, SeriesPolicy::hardened(), shape, [&](Engine& engine) {
        engine.pass();
        engine.series->begin_reload(arrival).ok();
        machine.synchronize_device(engine.rank);
        count -= engine.rank == 0 ? broadcasts(machine) : 0;
        if (arrival == Arrival::in_place) engine.load(2);
        if (arrival == Arrival::checkpoint) engine.load_checkpoint(2);
        engine.keep(engine.series->reload());
        EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      });
      return count + broadcasts(machine);
    };
    // What ranks do at their own pace may lie on either side of rank 0's count; whole passes do not.
    const int64_t slack = shape.ranks - 1;
    EXPECT_NEAR(static_cast<double>(issued(Arrival::in_place)), static_cast<double>(shape.ranks * shape.prefetch), slack);
    EXPECT_NEAR(static_cast<double>(issued(Arrival::checkpoint)), static_cast<double>(shape.ranks * (shape.layers + shape.prefetch)),
                slack);
  }
}

TEST(SeriesReload, NothingIsReadWhileAReloadIsOpen) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [](Engine& engine) {
    engine.step(0);
    engine.keep(engine.series->begin_reload(Arrival::in_place));
    EXPECT_EQ(engine.forward(0).message(), "layer 0 is used while a reload is open");
    EXPECT_EQ(engine.series->reach({1}).message(), "layer 1 is used while a reload is open");
    EXPECT_EQ(engine.series->begin_reload(Arrival::checkpoint).message(), "a reload is open");
    EXPECT_EQ(engine.load_one(2, 0).code(), Code::misuse);
    engine.load(2);
    engine.keep(engine.series->reload());
    EXPECT_EQ(engine.series->reach({1}).code(), Code::misuse);  // the pass begins anew
    engine.outputs.clear();
    engine.pass();
    engine.expect_reads({2});
  });
}

// H16, H17: outside of a reload every rank's loader refuses, the owner's too, and nothing has changed.
TEST(SeriesReload, LoadsOutsideOfAReloadAreRefusedOnEveryRank) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [](Engine& engine) {
    for (int64_t index = 0; index < 5; ++index) {
      Status refused = engine.load_one(2, index);
      EXPECT_EQ(refused.code(), Code::misuse);
      EXPECT_EQ(refused.message(), fmt::format("layer{} takes loads before finish_loading() and between begin_reload(checkpoint) and "
                                               "reload()",
                                               index));
    }
    engine.pass();
    engine.expect_reads({1});
  });
}

// Under seed an owner's loader writes into the processed weight, and others' do nothing: both say ok.
TEST(SeriesReload, SeedLoadsOnOwnersOnly) {
  int64_t stale = 0;
  Machine machine({.ranks = 2}, random_choices(5));
  on_engines(machine, SeriesPolicy::seed(), {2, 5, 0, 1}, [&](Engine& engine) {
    engine.pass();
    machine.synchronize_device(engine.rank);
    engine.load_checkpoint(2);
    engine.outputs.clear();
    engine.pass();
    EXPECT_TRUE(engine.status.ok());
    const std::vector<float> seen = engine.reads(), wanted = engine.expected({2});
    for (size_t i = 0; i < seen.size(); ++i) stale += seen[i] != wanted[i];
  });
  EXPECT_EQ(stale, 1);
}

const std::vector<std::pair<std::string, std::function<std::shared_ptr<model::QuantMethod>()>>>& steps() {
  auto registered = [](std::string_view id) { return [id] { return model::find_quant_method(id)->make(); }; };
  static const std::vector<std::pair<std::string, std::function<std::shared_ptr<model::QuantMethod>()>>> all{
      {"halving", halving},
      {"transposing", transposing},
      {"fp8_per_tensor", registered("fp8_per_tensor")},
      {"int8_per_channel", registered("int8_per_channel")},
      {"kernel_helpers", registered("kernel_helpers")},
      {"none", [] { return std::shared_ptr<model::QuantMethod>(); }}};
  return all;
}

struct Held {
  std::vector<const void*> addresses;
  std::vector<std::vector<float>> values;
};

// What stays on this rank: its own weights, and everybody's companions.
Held held(Engine& engine) {
  Held all;
  for (int64_t index = 0; index < engine.shape.layers; ++index)
    model::for_each_tensor(engine.layer(index), [&](const model::Slot& slot, bool) {
      if (slot.name == "weight" && !engine.owns(index)) return;
      all.addresses.push_back(slot.handle->tensor.const_data_ptr());
      all.values.push_back(values(slot.handle->tensor));
    });
  return all;
}

// Each rank's engine, first loaded with `first` and, where that is not 2, reloaded with version 2.
std::vector<Held> with_version_two(const EngineOptions& options, int first, const SeriesPolicy& policy) {
  std::vector<Held> all(2);
  Machine machine({.ranks = 2}, random_choices(6));
  on_engines(
      machine, policy, {2, 5, 0, 1},
      [&](Engine& engine) {
        engine.load_checkpoint(first);
        engine.keep(engine.series->finish_loading());
        const Held before = held(engine);
        if (first != 2) engine.reload(2, Arrival::checkpoint);
        EXPECT_TRUE(engine.status.ok()) << engine.status.message();
        Held& now = all[static_cast<size_t>(engine.rank)] = held(engine);
        EXPECT_EQ(now.addresses, before.addresses);
        EXPECT_EQ(now.values == before.values, first == 2);
      },
      options);
  EXPECT_TRUE(raced(machine).empty());
  return all;
}

// Version 2 into a series whose weights are processed: as if it had been loaded first, in the tensors that were there.
TEST(SeriesReload, ACheckpointIsProcessedIntoTheTensorsThatWereThere) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()})
    for (const auto& [name, make] : steps()) {
      EngineOptions options = with(make);
      options.load = false;
      const std::vector<Held> loaded = with_version_two(options, 2, policy), reloaded = with_version_two(options, 1, policy);
      for (size_t rank = 0; rank < 2; ++rank) EXPECT_EQ(reloaded[rank].values, loaded[rank].values) << name;
    }
}

// A kernel object that was made once goes on reading the weight of the layer, wherever that is.
TEST(SeriesReload, KernelObjectsGoOnReadingTheWeight) {
  Machine machine({.ranks = 2}, random_choices(1));
  on_engines(
      machine, SeriesPolicy::hardened(), {2, 5, 0, 1},
      [](Engine& engine) {
        engine.reload(2, Arrival::checkpoint);
        for (int64_t index = 0; index < 5; ++index) {
          engine.keep(engine.series->reach({index}));
          engine.keep(model::around_forward(engine.layer(index), [&] {
            engine.outputs.push_back(at::mm(engine.input, engine.layer(index).extra.tensors.at("kernel:weight")));
            return Status();
          }));
        }
        engine.expect_reads({2});
      },
      with([] { return model::find_quant_method("kernel_helpers")->make(); }));
}

// What a step leaves beside the layer's slots takes the new values, where it stood.
TEST(SeriesReload, ExtraStateIsThatOfTheNewVersion) {
  auto summing = [] {
    return method([](model::Layer& layer, at::Tensor& weight) {
      layer.extra.host["largest"] = weight.max().item<double>();
      layer.extra.tensors["sum"] = weight.sum();
      return Status();
    });
  };
  Machine machine({.ranks = 2}, random_choices(1));
  on_engines(
      machine, SeriesPolicy::hardened(), {2, 3, 0, 1},
      [](Engine& engine) {
        model::ExtraState& extra = engine.layer(2).extra;
        const void* before = extra.tensors.at("sum").const_data_ptr();
        engine.reload(2, Arrival::checkpoint);
        EXPECT_EQ(extra.host.at("largest"), 202);
        EXPECT_EQ(values(extra.tensors.at("sum")), repeated(202 * width * width, 1));
        EXPECT_EQ(extra.tensors.at("sum").const_data_ptr(), before);
      },
      with(summing));
}

// What never came whole is not put in: the same on all ranks, and the old version goes on.
TEST(SeriesReload, ACheckpointWithoutALayerIsRejectedOnEveryRank) {
  Machine machine({.ranks = 2}, random_choices(3));
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1},
             [](Engine& engine) {
               engine.load_checkpoint(1);
               engine.keep(engine.series->finish_loading());
               engine.pass(3);
               engine.outputs.clear();
               engine.keep(engine.series->begin_reload(Arrival::checkpoint));
               for (int64_t index : {0, 1, 2, 4}) engine.keep(engine.load_one(2, index));
               Status rejected = engine.series->reload();
               EXPECT_EQ(rejected.code(), Code::rejected);
               EXPECT_EQ(rejected.message(), "of layer3 came 0 pieces, 1 in the first load: the old weights stay");
               engine.step(3);  // where the pass was
               engine.step(4);
               engine.pass();
               EXPECT_TRUE(engine.status.ok()) << engine.status.message();
               EXPECT_EQ(engine.reads(), (std::vector<float>{103, 104, 100, 101, 102, 103, 104}));
               EXPECT_EQ(engine.load_one(2, 0).code(), Code::misuse);
               engine.outputs.clear();
               engine.reload(3, Arrival::checkpoint);
               engine.pass();
               engine.expect_reads({3});
             },
             {.load = false});
  EXPECT_TRUE(raced(machine).empty());
}

// A bias is each rank's own: it stays where a checkpoint does not bring it, and is loaded on every rank where it does.
TEST(SeriesReload, WhatStandsBesideTheWeightIsKeptOrLoaded) {
  const EngineOptions options{.dress = [](model::Layer& layer, int64_t index) {
    const at::Tensor& weight = layer.tensor("weight")->tensor;
    layer.assign("bias", std::make_shared<model::Parameter>(model::Parameter{.tensor = at::full({width}, index, weight.options())}));
    layer.quant_method = halving();
  }};
  Machine machine({.ranks = 2}, random_choices(3));
  on_engines(
      machine, SeriesPolicy::hardened(), {2, 5, 0, 1},
      [&](Engine& engine) {
        auto bias = [&](int64_t index) { return engine.layer(index).tensor("bias"); };
        auto load_bias = [&](int64_t index) { return (*bias(index)->loader)(*bias(index), at::full({width}, 7.0, on(engine.rank)), {}); };
        const void* before = bias(2)->tensor.const_data_ptr();
        engine.keep(engine.series->begin_reload(Arrival::checkpoint));
        engine.load_checkpoint(2);
        engine.keep(load_bias(2));
        engine.keep(engine.series->reload());
        EXPECT_TRUE(engine.status.ok()) << engine.status.message();
        EXPECT_EQ(values(bias(1)->tensor), repeated(1, width));
        EXPECT_EQ(values(bias(2)->tensor), repeated(7, width));
        EXPECT_EQ(bias(2)->tensor.const_data_ptr(), before);
        EXPECT_EQ(load_bias(3).code(), Code::misuse);
        // The companion that the step made has a loader that refuses as well.
        model::Parameter& scale = *engine.layer(3).tensor("weight_scale");
        EXPECT_EQ((*scale.loader)(scale, at::full({1}, 7.0, on(engine.rank)), {}).code(), Code::misuse);
      },
      options);
}

// An owner may put its weights elsewhere in a reload in place.
TEST(SeriesReload, BroadcastsFollowTheOwnersStorage) {
  for (bool transposed : {false, true}) {
    Machine machine({.ranks = 2}, random_choices(3));
    on_engines(
        machine, SeriesPolicy::hardened(), {2, 5, 0, 1},
        [&](Engine& engine) {
          engine.pass();
          engine.keep(engine.series->begin_reload(Arrival::in_place));
          for (int64_t index = 0; index < 5; ++index)
            if (engine.owns(index)) engine.weight(index).set_(at::empty_like(engine.weight(index)));
          engine.load(2);
          engine.keep(engine.series->reload());
          engine.pass();
          engine.expect_reads({1, 2});
        },
        with([=] { return transposed ? transposing() : nullptr; }));
    EXPECT_TRUE(raced(machine).empty());
  }
}

TEST(SeriesReload, ResetGivesAnOpenReloadUp) {
  Machine machine({.ranks = 2}, random_choices(3));
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [](Engine& engine) {
    engine.pass(2);
    const void* before = engine.weight(engine.rank).const_data_ptr();
    engine.keep(engine.series->begin_reload(Arrival::checkpoint));
    engine.keep(engine.load_one(2, 1));
    engine.keep(engine.series->reset());
    EXPECT_EQ(engine.weight(engine.rank).const_data_ptr(), before);
    engine.outputs.clear();
    engine.pass();
    engine.keep(engine.series->begin_reload(Arrival::in_place));
    engine.load(2);
    engine.keep(engine.series->reset());
    engine.pass();
    engine.expect_reads({1, 2});
  });
}

// A post-load step that fails in the middle leaves two versions: nothing is read before a reload has come through.
TEST(SeriesReload, AReloadThatStoppedBetweenLayersKeepsTheSeriesShut) {
  auto budget = std::make_shared<std::map<int, int>>();  // steps until the failure, by rank
  Machine machine({.ranks = 2}, random_choices(3));
  expect_clean(machine.run([&](int rank) {
    (*budget)[rank] = 5 + 3;
    auto failing = [&, rank] {
      return method(
          [budget, rank](model::Layer&, at::Tensor&) { return (*budget)[rank]-- == 0 ? Status(Code::failed, "injected") : Status(); });
    };
    Engine engine(SeriesPolicy::hardened(), {2, 5, 0, 1}, rank, with(failing));
    engine.pass();
    engine.keep(engine.series->begin_reload(Arrival::checkpoint));
    engine.load_checkpoint(2);
    EXPECT_EQ(engine.series->reload().message(), "injected");
    const std::string shut = "the weights are of two versions: a reload has to succeed first";
    EXPECT_EQ(engine.series->reach({0}).message(), shut);
    EXPECT_EQ(engine.series->reset().message(), shut);
    EXPECT_EQ(engine.forward(0).message(), shut);
    engine.outputs.clear();
    engine.reload(3, Arrival::checkpoint);
    engine.pass();
    engine.expect_reads({3});
  }));
}

// A step that leaves something else than in its first run has nowhere to go.
TEST(SeriesReload, AStepThatDriftsIsRefusedOnEveryRank) {
  Machine machine({.ranks = 2}, round_robin());
  expect_clean(machine.run([&](int rank) {
    auto runs = std::make_shared<std::map<const model::Layer*, int>>();
    auto drifting = [runs] {
      return method([runs](model::Layer& layer, at::Tensor& weight) {
        if ((*runs)[&layer]++ > 0) weight = weight.to(at::kDouble);
        return Status();
      });
    };
    Engine engine(SeriesPolicy::hardened(), {2, 5, 0, 1}, rank, with(drifting));
    engine.keep(engine.series->begin_reload(Arrival::checkpoint));
    engine.load_checkpoint(2);
    Status refused = engine.series->reload();
    EXPECT_EQ(refused.code(), Code::failed);
    EXPECT_NE(refused.message().find("weight of layer0 is Double [8, 8]"), std::string::npos) << refused.message();
  }));
}

// What a reload takes beside what is there: checkpoint tensors of owned layers, and one layer at a time elsewhere.
TEST(SeriesReload, AReloadTakesOwnedLayersAndOneMore) {
  const int64_t layers = 12;
  Machine machine({.ranks = 3}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {3, layers, 0, 1}, [&](Engine& engine) {
    machine.synchronize_device(engine.rank);
    auto& account = *machine.memory().account(engine.rank);
    const int64_t before = account.live_bytes();
    engine.keep(engine.series->begin_reload(Arrival::checkpoint));
    EXPECT_EQ(account.live_bytes() - before, layers / 3 * weight_bytes);
    engine.load_checkpoint(2);
    engine.keep(engine.series->reload());
    EXPECT_TRUE(engine.status.ok()) << engine.status.message();
    EXPECT_EQ(account.live_bytes(), before);
  });
}

}  // namespace
}  // namespace reloadlab::sim::modelled
