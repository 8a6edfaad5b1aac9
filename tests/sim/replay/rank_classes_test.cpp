#include "sim/replay/rank_classes.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

model::LayerSpec layer_of(std::string kind, Values values) {
  model::LayerSpec spec{.name = "it", .kind = std::move(kind), .values = std::move(values)};
  model::fill_defaults(spec);
  return spec;
}

std::vector<RankClass> classes_of(const Case& the_case) { return rank_classes(Catalogue(the_case.model), the_case); }

model::LayerSpec experts(std::string parallel, int64_t count = 8) {
  return layer_of("fused_experts", {{"hidden", int64_t{4}}, {"intermediate", int64_t{8}}, {"experts", count}, {"parallel", parallel}});
}

TEST(RankClasses, RanksThatHoldWholeExpertsAreEqualWhicheverTheyAre) {
  const std::vector<RankClass> classes = classes_of(tiny_case({experts("expert")}, 4));
  ASSERT_EQ(classes.size(), 1u);
  EXPECT_EQ(classes[0].members, (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(classes[0].played, classes[0].members);
}

// 10 rows of a vocabulary, padded to 16, over 4 ranks: 4, 4, 2 and none are real.
TEST(RankClasses, RanksWithPaddingAreOfClassesOfTheirOwn) {
  const Case the_case =
      tiny_case({layer_of("vocab_parallel_embedding", {{"vocab", int64_t{10}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{16}}})}, 4);
  const std::vector<RankClass> classes = classes_of(the_case);
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[0].members, (std::vector{0, 1}));
  EXPECT_EQ(classes[1].members, (std::vector{2}));
}

TEST(RankClasses, ASampleHasTheFirstTheLastAndOthersByTheSeed) {
  Case the_case = tiny_case({experts("expert", 64)}, 64);
  the_case.sample = 3;
  std::set<int> drawn;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    the_case.seed = seed;
    const std::vector<int> played = classes_of(the_case)[0].played;
    ASSERT_EQ(played.size(), 3u);
    EXPECT_EQ(played.front(), 0);
    EXPECT_EQ(played.back(), 63);
    EXPECT_EQ(classes_of(the_case)[0].played, played);
    drawn.insert(played[1]);
  }
  EXPECT_GT(drawn.size(), 10u);
  the_case.sample = 65;
  EXPECT_EQ(classes_of(the_case)[0].played.size(), 64u);
}

// Two groups of two ranks: a linear layer is cut in two, eight experts are dealt out in four.
TEST(RankClasses, GroupsHoldTheSameButExperts) {
  Case the_case = tiny_case({experts("expert")}, 4);
  the_case.tensor_parallel = 2;
  EXPECT_EQ(classes_of(the_case).size(), 1u);
  const model::LayerSpec linear = layer_of("column_parallel_linear", {{"in", int64_t{4}}, {"out", int64_t{8}}});
  const model::LayerKind& kind = *model::find_layer_kind(linear.kind);
  const model::LayerKind& moe = *model::find_layer_kind("fused_experts");
  EXPECT_EQ(kind.slots(linear, the_case.parallel(3))[0].shape, (Shape{4, 4}));
  EXPECT_EQ(moe.slots(experts("expert"), the_case.parallel(3))[0].shape, (Shape{2, 16, 4}));
  EXPECT_EQ(moe.slots(experts("tensor"), the_case.parallel(3))[0].shape, (Shape{8, 8, 4}));
}

}  // namespace
}  // namespace reloadlab::sim
