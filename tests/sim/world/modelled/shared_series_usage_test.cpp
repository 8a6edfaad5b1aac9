// Calls that come in a wrong order: under hardened each is refused before anything is issued, the same on every rank, and reset() makes
// the ring what it was when it was new. What seed makes of them.
#include <ATen/ops/mm.h>

#include <algorithm>
#include <set>

#include "tests/sim/world/modelled/series_engine.h"

namespace reloadlab::sim::modelled {
namespace {

// The layer that comes behind this one: behind the last one the next pass begins.
int64_t behind(const Shape& shape, int64_t index) { return index + 1 < shape.first + shape.layers ? index + 1 : shape.first; }

// Layers at which something is a fault.
enum class Where {
  anywhere,
  among_others,  // a series of one layer has it behind itself
  not_at_the_end,
};

// A way of breaking the second pass at a layer; gives back what the breaking call said, and adds what it was allowed to issue before.
struct Fault {
  std::string name;
  Where where;
  std::function<Status(Engine&, int64_t index)> commit;
  std::function<std::string(const Shape&, int64_t index)> message;

  bool is_one(const Shape& shape, int64_t index) const {
    const bool last = index + 1 == shape.first + shape.layers;
    return where == Where::anywhere || (where == Where::among_others ? shape.layers > 1 : !last);
  }
};

std::string not_next(int64_t index, int64_t next) {
  return fmt::format("layer {} is reached where {} is next: reset() begins a pass anew", index, next);
}

Status forward_late(Engine& engine, int64_t index) {
  engine.keep(engine.series->reach({index}));
  engine.keep(engine.series->reach({behind(engine.shape, index)}));
  return engine.forward(index);
}

Status reach_in_use(Engine& engine, int64_t index) {
  engine.keep(engine.series->reach({index}));
  engine.keep(engine.series->wait({index}));
  return engine.series->reach({behind(engine.shape, index)});
}

Status reach_twice(Engine& engine, int64_t index) {
  engine.step(index);
  return engine.series->reach({index});
}

Status swap(Engine& engine, int64_t index) { return engine.series->reach({behind(engine.shape, index)}); }

Status start_again(Engine& engine, int64_t index) {
  engine.step(index);
  return engine.series->reach({engine.shape.first});
}

Status read_unreached(Engine& engine, int64_t index) {
  engine.step(index);
  return engine.forward(behind(engine.shape, index));
}

std::string read_where(int64_t index, int64_t reached) {
  return fmt::format("layer {} is read where layer {} was reached last", index, reached);
}

const std::vector<Fault>& faults() {
  using enum Where;
  static const std::vector<Fault> all{
      {"H6: reach before the forward of the layer before", among_others, forward_late,
       [](const Shape& shape, int64_t x) { return read_where(x, behind(shape, x)); }},
      {"H6: reach while the layer before is in use", anywhere, reach_in_use,
       [](const Shape& shape, int64_t x) {
         return fmt::format("layer {} is reached while layer {} is in use: done() comes first", behind(shape, x), x);
       }},
      {"H7: forward without reach", among_others, read_unreached,
       [](const Shape& shape, int64_t x) { return read_where(behind(shape, x), x); }},
      {"H8: double reach", among_others, reach_twice, [](const Shape& shape, int64_t x) { return not_next(x, behind(shape, x)); }},
      {"H9, H11: skipped or swapped", among_others, swap, [](const Shape& shape, int64_t x) { return not_next(behind(shape, x), x); }},
      {"H10: early exit", not_at_the_end, start_again, [](const Shape& shape, int64_t x) { return not_next(shape.first, x + 1); }},
      {"H26: no such layer", anywhere, [](Engine& engine, int64_t) { return engine.series->wait({engine.shape.first - 1}); },
       [](const Shape& shape, int64_t) { return fmt::format("layer {} is not in the series", shape.first - 1); }},
      {"H26: no such layer", anywhere,
       [](Engine& engine, int64_t) { return engine.series->done({engine.shape.first + engine.shape.layers}); },
       [](const Shape& shape, int64_t) { return fmt::format("layer {} is not in the series", shape.first + shape.layers); }}};
  return all;
}

// One pass, a broken one, reset(), two passes. `allowed`: how many broadcasts of the broken pass were in order.
void survive(const Fault& fault, const SeriesPolicy& policy, const Shape& shape, int64_t index) {
  SCOPED_TRACE(fmt::format("{} at {}: {} n={} L={} s={} k={}", fault.name, index, spell_policy(policy), shape.ranks, shape.layers,
                           shape.first, shape.prefetch));
  Machine machine({.ranks = shape.ranks}, random_choices(static_cast<uint64_t>(index)));
  on_engines(machine, policy, shape, [&](Engine& engine) {
    engine.pass();
    engine.pass(index - shape.first);
    machine.synchronize_device(engine.rank);
    Status refused = fault.commit(engine, index);
    EXPECT_EQ(refused.code(), Code::misuse);
    EXPECT_EQ(refused.message(), fault.message(shape, index));
    machine.synchronize_device(engine.rank);
    const int64_t before = broadcasts(machine);
    (void)engine.series->reach({shape.first - 1});
    machine.synchronize_device(engine.rank);
    EXPECT_EQ(broadcasts(machine), before);
    engine.keep(engine.series->reset());
    engine.outputs.clear();
    engine.pass();
    engine.pass();
    engine.expect_reads({1, 1});
  });
  EXPECT_TRUE(raced(machine).empty());
}

std::vector<Shape> small_shapes() {
  std::vector<Shape> shapes;
  for (int64_t layers = 1; layers <= 7; ++layers)
    for (int ranks = 1; ranks <= 4; ++ranks)
      for (int64_t prefetch = 0; prefetch <= std::clamp<int64_t>(layers - 2, 0, 3); ++prefetch)
        for (const int64_t first : std::set<int64_t>{0, 1, layers - 1}) shapes.push_back({ranks, layers, first, prefetch});
  return shapes;
}

TEST(SeriesUsage, EveryFaultAtEveryLayerIsRefusedAndResetBeginsAnew) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()})
    for (const Shape& shape : small_shapes())
      for (const Fault& fault : faults())
        for (int64_t index = shape.first; index < shape.first + shape.layers; ++index)
          if (fault.is_one(shape, index)) survive(fault, policy, shape, index);
}

// A refusal has issued nothing: the broadcasts of the whole run are those that were in order.
TEST(SeriesUsage, ARefusedReachIssuesNothing) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()}) {
    Machine machine({.ranks = 2}, round_robin());
    const Shape shape{2, 5, 1, 2};
    on_engines(machine, policy, shape, [&](Engine& engine) {
      engine.step(1);
      EXPECT_EQ(engine.series->reach({1}).code(), Code::misuse);
      EXPECT_EQ(engine.series->reach({3}).code(), Code::misuse);
      EXPECT_EQ(engine.series->wait({3}).code(), Code::misuse);
      engine.step(2);
    });
    EXPECT_EQ(broadcasts(machine), shape.ranks * (shape.layers + 2));
  }
}

std::vector<const void*> addresses_of_two_passes(Engine& engine) {
  std::vector<const void*> all;
  for (int pass = 0; pass < 2; ++pass)
    for (int64_t index = engine.shape.first; index < engine.shape.first + engine.shape.layers; ++index) {
      engine.step(index);
      all.push_back(engine.weight(index).const_data_ptr());
    }
  return all;
}

TEST(SeriesUsage, ResetAfterAnyPrefixIsAFreshRing) {
  for (const SeriesPolicy& policy : {SeriesPolicy::hardened(), statically_bound()})
    for (int64_t steps = 0; steps <= 10; ++steps) {
      Machine machine({.ranks = 2}, random_choices(static_cast<uint64_t>(steps)));
      on_engines(machine, policy, {2, 5, 1, 2}, [&](Engine& engine) {
        const std::vector<const void*> fresh = addresses_of_two_passes(engine);
        for (int64_t step = 0; step < steps; ++step) engine.step(1 + step % 5);
        engine.keep(engine.series->reset());
        engine.outputs.clear();
        EXPECT_EQ(addresses_of_two_passes(engine), fresh) << steps;
        engine.expect_reads({1, 1});
      });
      EXPECT_TRUE(raced(machine).empty());
    }
}

// A forward that failed left its layer in use, on a stream that nobody waits for.
TEST(SeriesUsage, ResetAfterAForwardThatFailed) {
  Machine machine({.ranks = 2}, random_choices(4));
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, [&](Engine& engine) {
    c10::Stream side = side_stream(engine.rank);
    engine.step(0);
    engine.keep(engine.series->reach({1}));
    order(here(engine.rank), side);
    {
      c10::StreamGuard guard(side);
      Status failed = model::around_forward(engine.layer(1), [&] {
        engine.outputs.push_back(at::mm(engine.input, engine.weight(1)));
        return Status(Code::failed, "injected");
      });
      EXPECT_EQ(failed.message(), "injected");
    }
    engine.keep(engine.series->reset());
    engine.pass();
    EXPECT_TRUE(engine.status.ok()) << engine.status.message();
    EXPECT_EQ(engine.reads(), (std::vector<float>{100, 101, 100, 101, 102, 103, 104}));
  });
  EXPECT_TRUE(raced(machine).empty());
}

TEST(SeriesUsage, CallsBeforeLoadingWasFinished) {
  Machine machine({.ranks = 2}, round_robin());
  auto before = [](Engine& engine) {
    EXPECT_EQ(engine.series->reach({0}).message(), "layer 0 is used before loading was finished");
    EXPECT_EQ(engine.forward(0).code(), Code::misuse);
    EXPECT_EQ(engine.series->reset().message(), "reset before loading was finished");
    EXPECT_EQ(engine.series->begin_reload(Arrival::in_place).code(), Code::misuse);
    EXPECT_EQ(engine.series->register_layer(engine.layers[1], {5}).message(), "layer1 is registered already");
    engine.load(1);
    engine.keep(engine.series->finish_loading());
    engine.keep(engine.series->finish_loading());
    EXPECT_EQ(engine.series->register_layer(engine.layers[1], {5}).message(), "layer 5 registered after loading was finished");
    EXPECT_EQ(engine.series->reload().message(), "reload() without begin_reload()");
    engine.pass();
    engine.expect_reads({1});
  };
  on_engines(machine, SeriesPolicy::hardened(), {2, 5, 0, 1}, before, {.load = false});
}

// H25 and H34: on every rank, and nothing was issued.
TEST(SeriesUsage, SeriesThatCannotBeAreRefusedBeforeAnythingIsIssued) {
  for (int64_t prefetch : {-1, 4}) {
    Machine machine({.ranks = 3}, round_robin());
    on_engines(machine, SeriesPolicy::hardened(), {3, 5, 0, prefetch}, [&](Engine& engine) {
      EXPECT_EQ(engine.status.message(), fmt::format("a look-ahead of {} in a series of 5 layers: at most 3", prefetch));
      EXPECT_EQ(engine.series->reach({0}).code(), Code::misuse);
    });
    EXPECT_EQ(broadcasts(machine), 0);
  }
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::hardened(), {2, 4, 0, 1},
             [](Engine& engine) {
               engine.add_layer(5, {});
               engine.load(1);
               EXPECT_EQ(engine.series->finish_loading().message(), "layer 5 follows layer 3: indices must be consecutive");
             },
             {.load = false});
  EXPECT_EQ(broadcasts(machine), 0);
}

// The seed finds out after earlier layers were broadcast.
TEST(SeriesUsage, SeedRefusesGapsWhenItIsTooLate) {
  Machine machine({.ranks = 2}, round_robin());
  on_engines(machine, SeriesPolicy::seed(), {2, 4, 0, 1},
             [](Engine& engine) {
               engine.add_layer(5, {});
               engine.load(1);
               EXPECT_EQ(engine.series->finish_loading().message(), "layer 5 follows layer 3: indices must be consecutive");
             },
             {.load = false});
  EXPECT_EQ(broadcasts(machine), 2 * 4);
}

// The seed's assertions come when slot, alias and offset have moved on; nothing gets the ring back into step.
TEST(SeriesUsage, SeedNoticesFaultsWhenTheRingHasMovedOn) {
  struct Seen {
    std::string name, message;
    std::function<void(Engine&)> pass;
  };
  auto reach = [](Engine& engine, int64_t index) { engine.keep(engine.series->reach({index})); };
  auto forward = [](Engine& engine, int64_t index) { engine.keep(engine.forward(index)); };
  const std::vector<Seen> all{
      {"H6", "no window holds layer 1", [=](Engine& engine) { reach(engine, 1), reach(engine, 2), forward(engine, 1); }},
      {"H7", "no window holds layer 2", [=](Engine& engine) { forward(engine, 1), engine.step(2); }},
      {"H8", "no window holds layer 1", [=](Engine& engine) { reach(engine, 1), reach(engine, 1), forward(engine, 1); }},
      {"H9", "no window holds layer 2", [=](Engine& engine) { engine.step(2); }},
      {"H11", "no window holds layer 2", [=](Engine& engine) { engine.step(2), engine.step(1); }},
      {"H10", "no window holds layer 0", [](Engine& engine) { engine.step(0); }}};
  for (const Seen& fault : all) {
    SCOPED_TRACE(fault.name);
    Machine machine({.ranks = 2}, round_robin());
    on_engines(machine, SeriesPolicy::seed(), {2, 5, 0, 1}, [&](Engine& engine) {
      engine.pass();
      engine.pass(1);
      EXPECT_TRUE(engine.status.ok());
      fault.pass(engine);
      EXPECT_EQ(engine.status.code(), Code::failed);
      EXPECT_EQ(engine.status.message(), fault.message);
      EXPECT_EQ(engine.series->reset().message(), "no reset");
      EXPECT_EQ(engine.series->begin_reload(Arrival::in_place).code(), Code::unsupported);
    });
  }
}

}  // namespace
}  // namespace reloadlab::sim::modelled
