// What post-load steps make of weights: other types, other strides, other handles, companions; and whose step runs.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include "reference/model/device.h"
#include "sim/world/modelled/memory.h"
#include "tests/sim/world/modelled/series_engine.h"
#include "tests/sim/world/modelled/series_methods.h"

namespace reloadlab::sim::modelled {
namespace {

constexpr int64_t small = 16;  // the modelled allocator counts requested bytes

// What the layer's weight stands for, with its scale, as the forward would use it.
Status read_scaled(Engine& engine, int64_t index) {
  return model::around_forward(engine.layer(index), [&] {
    at::Tensor value = engine.weight(index).to(at::kFloat, false, true);
    if (auto scale = engine.layer(index).tensor("weight_scale")) value = value.mul(scale->tensor.to(at::kFloat));
    engine.outputs.push_back(value);
    return Status();
  });
}

void pass_scaled(Engine& engine) {
  for (int64_t index = engine.shape.first; index < engine.shape.first + engine.shape.layers; ++index) {
    engine.keep(engine.series->reach({index}));
    if (engine.status.ok()) engine.keep(read_scaled(engine, index));
  }
}

void expect_scaled(Engine& engine, const std::vector<int>& versions) {
  EXPECT_TRUE(engine.status.ok()) << engine.status.message();
  const std::vector<float> wanted = engine.expected(versions);
  ASSERT_EQ(engine.outputs.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    for (float each : values(engine.outputs[i])) EXPECT_NEAR(each, wanted[i], wanted[i] / 100) << i;
}

EngineOptions weights_with(std::function<std::shared_ptr<model::QuantMethod>()> make) {
  return {.dress = [make](model::Layer& layer, int64_t) { layer.quant_method = make(); }};
}

std::shared_ptr<model::QuantMethod> registered(std::string_view id) { return model::find_quant_method(id)->make(); }

const std::vector<std::pair<std::string, EngineOptions>>& weight_steps() {
  static const std::vector<std::pair<std::string, EngineOptions>> all{
      {"halving", weights_with(halving)},
      {"transposing", weights_with(transposing)},
      {"fp8_per_tensor", weights_with([] { return registered("fp8_per_tensor"); })},
      {"fp8_per_channel", weights_with([] { return registered("fp8_per_channel"); })},
      {"int8_per_channel", weights_with([] { return registered("int8_per_channel"); })}};
  return all;
}

TEST(SeriesWeights, EveryStepsResultsReachEveryRank) {
  for (const auto& [name, options] : weight_steps())
    for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()})
      for (const Shape& shape : {Shape{2, 5, 1, 1}, Shape{3, 4, 0, 2}}) {
        SCOPED_TRACE(name);
        Machine machine({.ranks = shape.ranks}, random_choices(8));
        on_engines(
            machine, policy, shape,
            [](Engine& engine) {
              pass_scaled(engine);
              pass_scaled(engine);
              expect_scaled(engine, {1, 1});
            },
            options);
        EXPECT_TRUE(raced(machine).empty());
      }
}

// SW5 with processed weights: companions and placeholders apart.
TEST(SeriesWeights, ResidentBytesAreThoseOfProcessedWeights) {
  auto resident = [](const SeriesPolicy& policy, std::string_view id) {
    std::vector<int64_t> bytes(2);
    Machine machine({.ranks = 2}, round_robin());
    on_engines(
        machine, policy, {2, 6, 0, 1},
        [&](Engine& engine) {
          machine.synchronize_device(engine.rank);
          bytes[static_cast<size_t>(engine.rank)] = machine.memory().account(engine.rank)->live_bytes();
        },
        weights_with([&] { return registered(id); }));
    return bytes;
  };
  const int64_t processed = width * width, input = 4 * width, scales = 6 * 4;
  for (int64_t bytes : resident(SeriesPolicy::hardened(), "fp8_per_tensor")) {
    const int64_t floor = (3 + 2) * processed + input + scales;
    EXPECT_GE(bytes, floor);
    EXPECT_LE(bytes, floor + 6 * small);  // placeholders
  }
  // H30: the ring of the seed keeps the parameters that it registered, in the checkpoint's type; every rank has all processed weights.
  for (int64_t bytes : resident(SeriesPolicy::seed(), "fp8_per_tensor"))
    EXPECT_GE(bytes, (3 + 2) * 4 * processed + 6 * processed + input + scales);
}

// H30: the right result, from copies of their own.
TEST(SeriesWeights, SeedReadsCopiesWhereAStepReplacesTheParameter) {
  Machine machine({.ranks = 2}, random_choices(2));
  on_engines(
      machine, SeriesPolicy::seed(), {2, 5, 0, 1},
      [](Engine& engine) {
        pass_scaled(engine);
        expect_scaled(engine, {1});
        EXPECT_EQ(engine.weight(4).scalar_type(), at::kFloat8_e4m3fn);
        EXPECT_EQ(engine.weight(4).numel(), width * width);  // on every rank
      },
      weights_with([] { return registered("fp8_per_tensor"); }));
}

TEST(SeriesWeights, WindowsHaveTheStridesOfTheWeight) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(
      machine, SeriesPolicy::hardened(), {2, 4, 0, 1},
      [](Engine& engine) {
        engine.pass();
        for (int64_t index = 0; index < 4; ++index) EXPECT_EQ(engine.weight(index).strides(), (std::vector<int64_t>{1, width}));
      },
      weights_with(transposing));
}

// What finish_loading() says, the same on all ranks; null where ranks differ.
std::string refusal(const SeriesPolicy& policy, const EngineOptions& options) {
  std::vector<std::string> said(3);
  Machine machine({.ranks = 3}, round_robin());
  on_engines(
      machine, policy, {3, 5, 0, 1}, [&](Engine& engine) { said[static_cast<size_t>(engine.rank)] = engine.status.message(); }, options);
  return said[0] == said[1] && said[1] == said[2] ? said[0] : "ranks differ";
}

TEST(SeriesWeights, LayersThatDifferAreRefusedOnEveryRank) {
  const EngineOptions other{.dress = [](model::Layer& layer, int64_t index) {
    at::Tensor& weight = layer.tensor("weight")->tensor;
    if (index == 3) weight = at::empty({width, 2 * width}, weight.options());
  }};
  EXPECT_NE(refusal(SeriesPolicy::hardened(), other).find("the layers of a series are alike"), std::string::npos);
  const EngineOptions later{.dress = [](model::Layer& layer, int64_t index) {
    if (index == 3) layer.quant_method = transposing();
  }};
  EXPECT_NE(refusal(SeriesPolicy::hardened(), later).find("the weight of layer3 becomes"), std::string::npos);
}

TEST(SeriesWeights, WeightsThatWindowsCannotStandForAreRefused) {
  const EngineOptions gaps = weights_with([] {
    return method([](model::Layer&, at::Tensor& weight) {
      weight = at::empty_strided({width, width}, {2 * width, 1}, weight.options());
      return Status();
    });
  });
  EXPECT_NE(refusal(SeriesPolicy::hardened(), gaps).find("has gaps after its post-load step"), std::string::npos);
  const EngineOptions view = weights_with([] {
    return method([](model::Layer& layer, at::Tensor& weight) {
      layer.extra.tensors["half"] = weight.narrow(0, 0, width / 2);
      return Status();
    });
  });
  EXPECT_NE(refusal(SeriesPolicy::hardened(), view).find("half of layer0 is a view into the weight"), std::string::npos);
  const EngineOptions gone = weights_with([] {
    return method([](model::Layer& layer, at::Tensor&) {
      layer.erase("weight");
      return Status();
    });
  });
  EXPECT_EQ(refusal(SeriesPolicy::hardened(), gone), "layer0 has no weight after its post-load step");
}

TEST(SeriesWeights, WeightsThatCannotBeSharedAreNotRegistered) {
  Machine machine({.ranks = 2}, round_robin());
  auto body = [](Engine& engine) {
    auto layer = std::make_shared<model::Layer>(model::LayerSpec{.name = "one more"}, "Linear");
    EXPECT_EQ(engine.series->register_layer(layer, {4}).message(), "one more has no weight to share");
    layer->assign("weight", engine.layer(0).tensor("weight"));
    EXPECT_EQ(engine.series->register_layer(layer, {4}).message(), "layer0 and one more have one weight");
    at::Tensor gaps = at::empty_strided({width, width}, {2 * width, 1}, on(engine.rank));
    layer->assign("weight", std::make_shared<model::Parameter>(model::Parameter{.tensor = gaps}));
    EXPECT_EQ(engine.series->register_layer(layer, {4}).message(), "the weight of one more has gaps: Float [8, 8] by [16, 1]");
    EXPECT_EQ(engine.series->register_layer(layer, {-1}).message(), "a layer has no index -1");
    EXPECT_EQ(layer->hooks.before, nullptr);
  };
  on_engines(machine, SeriesPolicy::hardened(), {2, 4, 0, 1}, body, {.load = false});
}

// SW5: resident, the template under seed, one layer and its processed form.
TEST(SeriesWeights, StartingUpTakesOneLayerMore) {
  for (const SeriesPolicy& policy : {SeriesPolicy::seed(), SeriesPolicy::hardened()}) {
    Machine machine({.ranks = 2}, round_robin());
    on_engines(machine, policy, {2, 8, 0, 1},
               [&](Engine& engine) {
                 engine.load(1);
                 machine.synchronize_device(engine.rank);
                 auto& account = *machine.memory().account(engine.rank);
                 account.restart_peak();
                 engine.keep(engine.series->finish_loading());
                 const int64_t resident = account.live_bytes(), room = policy == SeriesPolicy::seed() ? weight_bytes : 0;
                 EXPECT_LE(account.peak_bytes(), resident + room + 2 * weight_bytes);
               },
               {.dress = [](model::Layer& layer, int64_t) { layer.quant_method = transposing(); }, .load = false});
  }
}

// SW1: layers that share a quantization-method object. The first registration takes the step away from the object.
TEST(SeriesWeights, ASharedMethodRunsForTheFirstLayerOnlyUnderSeed) {
  auto reads = [](const SeriesPolicy& policy) {
    std::vector<float> seen;
    Machine machine({.ranks = 2}, round_robin());
    expect_clean(machine.run([&](int rank) {
      const std::shared_ptr<model::QuantMethod> shared = adding(0.5);
      Engine engine(policy, {2, 4, 0, 1}, rank, weights_with([&] { return shared; }));
      EXPECT_TRUE(engine.layer(3).quant_method->process_weights_after_loading(engine.layer(3)).ok());  // nobody else's any more
      engine.pass();
      EXPECT_TRUE(engine.status.ok()) << engine.status.message();
      if (rank == 1) seen = engine.reads();
      if (rank == 0) (void)engine.reads();
    }));
    return seen;
  };
  EXPECT_EQ(reads(SeriesPolicy::seed()), (std::vector<float>{100.5, 101, 102, 103}));
  EXPECT_EQ(reads(SeriesPolicy::hardened()), (std::vector<float>{100.5, 101.5, 102.5, 103.5}));
  EXPECT_EQ(reads(policy_named("seed,step=layer")), (std::vector<float>{100.5, 101.5, 102.5, 103.5}));
}

// What was wrapped around a forward stays inside; neither hooks nor loaders mind that the series is gone.
TEST(SeriesWeights, HooksStayWithTheLayerAndOutliveTheSeries) {
  Machine machine({.ranks = 2}, round_robin());
  expect_clean(machine.run([&](int rank) {
    auto calls = std::make_shared<std::string>();
    const EngineOptions options{.dress = [calls](model::Layer& layer, int64_t) {
      layer.hooks.before = [calls](model::Layer&) { return *calls += "b", Status(); };
      layer.hooks.after = [calls](model::Layer&) { return *calls += "a", Status(); };
    }};
    Engine engine(SeriesPolicy::hardened(), {2, 2, 0, 0}, rank, options);
    EXPECT_EQ(engine.forward(0).message(), "layer 0 is read before its pass has reached it");
    EXPECT_EQ(*calls, "");
    engine.pass();
    engine.expect_reads({1});
    EXPECT_EQ(*calls, "baba");
    engine.series = nullptr;
    EXPECT_TRUE(engine.forward(0).ok());
    EXPECT_EQ(*calls, "bababa");
    EXPECT_EQ(engine.load_one(2, 0).message(), "a load into layer 0 of a series that is gone");
    const std::weak_ptr<model::Layer> layer = engine.layers[0];
    engine.layers.clear();
    EXPECT_TRUE(layer.expired());
  }));
}

// Windows are freed after what is in flight, and after readers elsewhere.
TEST(SeriesWeights, MemoryOfASeriesThatIsGoneIsReusedAfterItsLastUse) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    expect_clean(machine.run([](int rank) {
      {
        Engine engine(SeriesPolicy::hardened(), {2, 5, 0, 2}, rank);
        c10::Stream side = side_stream(rank);
        order(here(rank), side);
        c10::StreamGuard guard(side);
        engine.pass();
        engine.outputs.clear();
        c10::StreamGuard back(c10::impl::VirtualGuardImpl(modelled_kind).getDefaultStream(modelled_device(rank)));
        engine.series = nullptr;
        engine.layers.clear();
      }
      for (int each = 0; each < 8; ++each) at::empty({width, width}, on(rank)).fill_(each);
    }));
    EXPECT_TRUE(raced(machine).empty()) << seed;
  }
}

// Waiting and being done twice, by the hooks and by hand, is as good as once.
TEST(SeriesWeights, CallsBesideTheHooksChangeNothing) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Machine machine({.ranks = 2}, random_choices(seed));
    on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 2}, [](Engine& engine) {
      for (int64_t step = 0; step < 15; ++step) {
        engine.keep(engine.series->reach({step % 5}));
        engine.keep(engine.series->wait({step % 5}));
        engine.keep(engine.forward(step % 5));
        engine.keep(engine.series->done({step % 5}));
        engine.keep(engine.series->done({step % 5}));
      }
      engine.expect_reads({1, 1, 1});
    });
    EXPECT_TRUE(raced(machine).empty());
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
