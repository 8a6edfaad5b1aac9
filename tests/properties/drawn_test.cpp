// What the draws reach: a property says nothing of what is never drawn. The same draws every time.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "tests/properties/draw.h"
#include "tests/properties/draw_quantized.h"

namespace reloadlab::sim {
namespace {

constexpr uint64_t draws = 800;

template <class Fn, class Look>
void for_draws(Fn draw, Look&& look) {
  const auto gen = rc::gen::exec(draw);
  for (uint64_t seed = 0; seed < draws; ++seed) look(gen(rc::Random(seed), rc::kNominalSize).value());
}

struct DrawnModel {
  int ranks;
  std::vector<model::LayerSpec> layers;
};

template <class Look>
void for_layers(Quantized quantized, Look&& look) {
  const auto draw = [quantized] {
    const int ranks = *rc::gen::inRange(1, 5);
    return DrawnModel{ranks, draw_layers(ranks, quantized)};
  };
  for_draws(draw, [&](const DrawnModel& model) {
    for (const model::LayerSpec& layer : model.layers) look(layer, model.ranks);
  });
}

TEST(Drawn, EveryMethodIsAtEveryNumberOfRanks) {
  std::set<std::pair<std::string, int>> met;
  for_layers(Quantized::some, [&](const model::LayerSpec& layer, int ranks) { met.insert({layer.quant, ranks}); });
  for (const model::QuantInfo* method : sound_methods())
    for (int ranks = 1; ranks <= 4; ++ranks) EXPECT_TRUE(met.contains({std::string(method->id), ranks})) << method->id << ", " << ranks;
}

TEST(Drawn, EveryMethodThatTakesTiesIsOnTiedLayers) {
  std::set<std::string> met;
  for_layers(Quantized::some, [&](const model::LayerSpec& layer, int) {
    if (layer.tied_to) met.insert(layer.quant);
  });
  for (const model::QuantInfo* method : sound_methods())
    EXPECT_TRUE(!method->takes_ties || method->id.starts_with("experts") || met.contains(std::string(method->id))) << method->id;
}

TEST(Drawn, EveryKindIsAndWithAMethodWhereOneSuitsIt) {
  std::set<std::string> met, holding, quantized;
  const auto look = [&](const model::LayerSpec& layer, int ranks) {
    met.insert(layer.kind);
    if (layer.quant != "none") quantized.insert(layer.kind);
    for (const model::QuantInfo* method : sound_methods())
      if (suits(*method, layer, ranks)) holding.insert(layer.kind);
  };
  for_layers(Quantized::perhaps, look);
  for_layers(Quantized::some, look);
  for (const model::LayerKind* kind : model::layer_kinds()) EXPECT_TRUE(met.contains(std::string(kind->id()))) << kind->id();
  EXPECT_EQ(quantized, holding);
}

// Aborts before the first load call, behind each of the others but the last, and behind that one.
TEST(Drawn, AnUpdateIsAbandonedAtItsBeginInItsMiddleAndAtItsEnd) {
  struct Place {
    int64_t after, calls;
  };
  int begin = 0, middle = 0, end = 0;
  const auto draw = [] {
    const Case the_case = draw_case(Quantized::some);
    return Place{draw_abort(the_case, the_case.steps[1].plan), load_calls(the_case, the_case.steps[1].plan)};
  };
  for_draws(draw, [&](const Place& place) {
    begin += place.after == 0;
    middle += place.after > 0 && place.after < place.calls;
    end += place.after == place.calls;
  });
  for (const int count : {begin, middle, end}) EXPECT_GT(count, 10);
}

}  // namespace
}  // namespace reloadlab::sim
