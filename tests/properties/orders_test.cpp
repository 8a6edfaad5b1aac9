// All orders of the loads of small models, not a sample of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "tests/properties/draw.h"
#include "tests/properties/hold.h"

namespace reloadlab::sim {
namespace {

using model::LayerSpec;

LayerSpec layer(std::string name, std::string kind, Values values, std::optional<std::string> tied_to = {}) {
  LayerSpec spec{.name = std::move(name), .kind = std::move(kind), .tied_to = std::move(tied_to), .values = std::move(values)};
  model::fill_defaults(spec);
  return spec;
}

struct Small {
  std::string about;
  std::vector<LayerSpec> layers;
  size_t loads;
  int ranks = 1;
  std::vector<std::string> twice = {};  // delivered twice in a row
};

// Kept small by hand: n loads have n! orders.
std::vector<Small> small_models() {
  std::vector<Small> models = {
      {"qkv, and a composed loader",
       {layer("a.qkv", "qkv_parallel_linear", {{"hidden", int64_t{4}}, {"heads", int64_t{2}}, {"kv_heads", int64_t{1}}}),
        layer("b", "composed", {{"size", int64_t{4}}})},
       6},
      {"a tied head with a padded vocabulary, and one with a bias of its own",
       {layer("embed", "vocab_parallel_embedding", {{"vocab", int64_t{10}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{8}}}),
        layer("norm", "norm", {{"hidden", int64_t{4}}, {"bias", true}}),
        layer("head", "parallel_lm_head", {{"vocab", int64_t{10}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{8}}}, "embed.weight"),
        layer("other", "column_parallel_linear", {{"in", int64_t{4}}, {"out", int64_t{16}}, {"bias", true}}, "embed.weight")},
       4,
       2},
      {"rows and columns padded, and permuted after loading",
       {layer("up", "column_parallel_linear",
              {{"in", int64_t{3}}, {"out", int64_t{6}}, {"bias", true}, {"pad_rows_to", int64_t{4}}, {"pad_cols_to", int64_t{4}}}),
        layer("down", "row_parallel_linear",
              {{"in", int64_t{6}}, {"out", int64_t{3}}, {"bias", true}, {"pad_rows_to", int64_t{4}}, {"pad_cols_to", int64_t{4}}})},
       4,
       2},
      {"attention with sinks and scales, behind what it attends to",
       {layer("a.qkv", "qkv_parallel_linear", {{"hidden", int64_t{4}}, {"heads", int64_t{2}}}),
        layer("a.attn", "attention", {{"heads", int64_t{2}}, {"sinks", true}})},
       6,
       2},
      {"a composed loader and a scalar, delivered twice",
       {layer("mixer", "composed", {{"size", int64_t{2}}}), layer("up", "scalars", {{"rows", int64_t{2}}, {"columns", int64_t{2}}})},
       5,
       1,
       {"mixer.A", "up.weight_scale"}},
      {"a view of a child, a second name, a buffer that is loaded",
       {layer("mixer", "buffers",
              {{"shape", Shape{2}}, {"view_of", std::string("conv.weight")}, {"view_shape", Shape{3}}, {"view_start", int64_t{1}}}),
        layer("mixer.conv", "buffers",
              {{"shape", Shape{2, 3}}, {"bias", std::string("loaded")}, {"second_name", std::string("weight_t")}, {"buffer", Shape{2}}})},
       4},
      {"seven parts of two merged layers",
       {layer("a", "merged_column_parallel_linear", {{"in", int64_t{2}}, {"outs", Shape{2, 2}}, {"bias", true}}),
        layer("b", "merged_column_parallel_linear", {{"in", int64_t{2}}, {"outs", Shape{2, 2, 2}}})},
       7},
  };
  for (LayerSpec& spec : models[2].layers) spec.quant = "tile_permute";
  return models;
}

Case case_of(const Small& small) {
  Case the_case{.scenario = "orders", .about = small.about, .system = "layerwise", .ranks = small.ranks};
  the_case.model.layers = small.layers;
  the_case.checkpoints = {{"A", {.seed = 1}}, {"B", {.seed = 2}}};
  the_case.steps = {load_of("A"), reload_with({.checkpoint = "B"})};
  for (const std::string& name : small.twice) the_case.steps[1].plan.repeat.push_back({.tensor = name, .times = 2});
  the_case.laws = {"event_order"};
  return the_case;
}

std::vector<std::string> delivered(const Case& the_case) {
  std::vector<std::string> names;
  for (const model::Delivery& delivery : run(the_case).deliveries) names.push_back(delivery.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Census> after(const Case& the_case) {
  std::vector<Census> ranks;
  const Evidence evidence = run(the_case);
  for (int rank = 0; rank < the_case.ranks; ++rank) ranks.push_back(warm(evidence, rank).censuses.back());
  return ranks;
}

bool same_on_all(const std::vector<Census>& a, const std::vector<Census>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Census& x, const Census& y) { return same(x, y); });
}

class Orders : public testing::TestWithParam<size_t> {};

TEST_P(Orders, AllGiveTheSameBytes) {
  const Small small = small_models()[GetParam()];
  Case the_case = case_of(small);
  std::vector<std::string>& names = the_case.steps[1].plan.order_list;
  names = delivered(the_case);
  ASSERT_EQ(names.size(), small.loads);
  the_case.steps[1].plan.order = OrderKind::explicit_list;
  const std::vector<Census> first = after(the_case);
  size_t orders = 1, all = 1;
  for (size_t i = 2; i <= names.size(); ++i) all *= i;
  for (; std::next_permutation(names.begin(), names.end()); ++orders)
    ASSERT_TRUE(same_on_all(first, after(the_case))) << counterexample(the_case, 1, small.about);
  EXPECT_EQ(orders, all);
}

INSTANTIATE_TEST_SUITE_P(SmallModels, Orders, testing::Range<size_t>(0, small_models().size()));

}  // namespace
}  // namespace reloadlab::sim
