// The tables of every family against the layers of its architecture.
#include "sim/checkpoint/placing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "reference/model/architecture/architecture.h"
#include "tests/sim/checkpoint/families.h"

namespace reloadlab::sim {
namespace {

model::ModelSpec model_of(const Family& family) {
  model::ModelSpec spec{.architecture = family.architecture, .values = family.values};
  const Status status = model::expand_architecture(spec);
  EXPECT_TRUE(status.ok()) << status.message();
  return spec;
}

Placing placed(const Family& family, const std::vector<std::string>& names) {
  Result<NameMap> map = find_name_map(family.map);
  EXPECT_TRUE(map.ok());
  Result<Placing> placing = place_names(model_of(family), *map, names);
  EXPECT_TRUE(placing.ok());
  return *std::move(placing);
}

std::vector<std::string> missing(const Placing& placing) {
  std::vector<std::string> names;
  for (const Placing::Place& place : placing.places)
    if (place.stored.empty()) names.push_back(place.delivery.name);
  return names;
}

using Names = std::vector<std::string>;
using None = Names;

TEST(Families, EveryNameGoesToExactlyOnePlaceAndNothingIsLeftOver) {
  for (const Family& family : families()) {
    std::vector<std::string> names = family.names;
    names.insert(names.end(), family.left_out.begin(), family.left_out.end());
    const Placing placing = placed(family, names);
    EXPECT_EQ(placing.unexpected, None()) << family.name;
    EXPECT_TRUE(placing.seconds.empty()) << family.name;
    EXPECT_EQ(missing(placing), None()) << family.name;
    std::set<std::string> stored;
    for (const Placing::Place& place : placing.places) stored.insert(place.stored);
    EXPECT_EQ(stored, std::set<std::string>(family.names.begin(), family.names.end())) << family.name;
  }
}

TEST(Families, NoNameCanBeSpared) {
  for (const Family& family : families())
    for (size_t i = 0; i < family.names.size(); ++i) {
      std::vector<std::string> names = family.names;
      names.erase(names.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_EQ(missing(placed(family, names)).size(), 1U) << family.name << " without " << family.names[i];
    }
}

TEST(Families, StoredNamesAreFoundAgainFromWhereTheyGo) {
  for (const Family& family : families()) {
    const Result<NameMap> map = find_name_map(family.map);
    for (const std::string& name : family.names) {
      const std::optional<Target> target = map->target(name);
      ASSERT_TRUE(target) << name;
      EXPECT_EQ(map->target(map->stored_name(*target)), target) << name;
      EXPECT_TRUE(family.respelt || map->stored_name(*target) == map->without_prefix(name)) << name;
    }
  }
}

// Where a loader is called for some names of each table.
TEST(Families, TargetsAreParameterShardAndExpert) {
  const auto target = [](std::string_view map, std::string_view name) { return find_name_map(map)->target(name); };
  using One = std::optional<Target>;
  EXPECT_EQ(target("llama", "model.layers.7.self_attn.k_proj.bias"), One({"layers.7.self_attn.qkv_proj.bias", "k"}));
  EXPECT_EQ(target("llama", "layers.0.mlp.up_proj.weight"), One({"layers.0.mlp.gate_up_proj.weight", "1"}));
  EXPECT_EQ(target("llama", "language_model.lm_head.weight"), One(Target{"lm_head.weight"}));
  EXPECT_EQ(target("qwen_moe", "model.layers.1.mlp.experts.11.gate_proj.weight"), One({"layers.1.mlp.experts.w13_weight", "w1", 11}));
  EXPECT_EQ(target("qwen_moe", "model.layers.1.mlp.experts.3.down_proj.weight_scale_inv"),
            One({"layers.1.mlp.experts.w2_weight_scale_inv", "w2", 3}));
  EXPECT_EQ(target("qwen_moe", "model.layers.1.mlp.shared_expert.gate_proj.weight"),
            One({"layers.1.mlp.shared_expert.gate_up_proj.weight", "0"}));
  EXPECT_EQ(target("deepseek", "model.layers.0.self_attn.q_proj.weight"), One(Target{"layers.0.self_attn.q_proj.weight"}));
  EXPECT_EQ(target("deepseek", "model.layers.9.mlp.shared_experts.up_proj.weight"),
            One({"layers.9.mlp.shared_experts.gate_up_proj.weight", "1"}));
  EXPECT_EQ(target("bert", "bert.encoder.layer.3.attention.self.value.bias"), One({"blocks.3.qkv.bias", "v"}));
  EXPECT_EQ(target("bert", "cls.predictions.bias"), std::nullopt);
}

TEST(Placing, NamesThatNoTableTakesAreUnexpected) {
  const Family llama = families()[2];
  std::vector<std::string> names = llama.names;
  for (const char* name : {"model.layers.2.mlp.up_proj.weight", "model.layers.0.self_attn.qkv_proj.weight", "vision.patch.weight",
                           "model.layers.0.mlp.experts.0.up_proj.weight", "model.layers.0.self_attn.q_proj.weight.extra"})
    names.push_back(name);
  const Placing placing = placed(llama, names);
  EXPECT_EQ(placing.unexpected, None(names.end() - 5, names.end()));
}

// Calibrated scales have one of two names; without a word from the model they have no place.
TEST(Placing, ScalesOfCachesGoToTheAttention) {
  const std::vector<Family> all = families();
  const auto scaled = std::ranges::find(all, "llama_with_cache_scales", &Family::name);
  const Names usual = {"model.layers.0.self_attn.k_proj.k_scale", "model.layers.0.self_attn.v_proj.v_scale"};
  const Names short_ones = {"model.layers.0.self_attn.k_scale", "model.layers.0.self_attn.v_scale"};
  for (const Names& names : {usual, short_ones}) {
    EXPECT_EQ(placed(*scaled, names).unexpected, None());
    EXPECT_EQ(placed(all[2], names).unexpected, names);
  }
  EXPECT_EQ(placed(*scaled, {usual[0], short_ones[0]}).seconds.size(), 1U);
}

TEST(Placing, AHeadThatIsNotTiedIsWantedAndOneThatIsIsLeftOut) {
  const std::vector<Family> all = families();
  const auto tied = std::ranges::find(all, "qwen2_tied", &Family::name);
  EXPECT_EQ(placed(*tied, {"lm_head.weight"}).unexpected, None());
  EXPECT_EQ(missing(placed(all[2], tied->names)), (None{"lm_head.weight"}));
}

TEST(Placing, BlocksBehindTheLastAreLeftOutAsFarAsTheModelSays) {
  const Family third = families().back();
  EXPECT_EQ(placed(third, {"model.layers.2.enorm.weight"}).unexpected, None());
  EXPECT_EQ(placed(third, {"model.layers.3.enorm.weight"}).unexpected, None{"model.layers.3.enorm.weight"});
  EXPECT_EQ(placed(third, {"model.layers.99999999999999999999.enorm.weight"}).unexpected.size(), 1U);
}

// Two spellings of one tensor: with the prefix and without.
TEST(Placing, ASecondNameForAPlaceIsReportedWithTheFirst) {
  const Family llama = families()[2];
  const Placing placing = placed(llama, {"layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.weight"});
  ASSERT_EQ(placing.seconds.size(), 1U);
  EXPECT_EQ(placing.seconds[0].stored, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(placing.seconds[0].first, "layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(placing.seconds[0].delivery, "layers.0.self_attn.q_proj.weight");
}

// Scenario files may name any architecture's family as `map`.
TEST(Families, AreCalledLikeTheArchitecturesAndAllAreTriedHere) {
  std::set<std::string_view> maps, tried, architectures;
  const std::vector<Family> all = families();
  for (const std::string_view id : name_map_ids()) maps.insert(id);
  for (const Family& family : all) tried.insert(family.map);
  for (const model::ArchitectureInfo& one : model::architectures()) architectures.insert(one.id);
  EXPECT_EQ(maps, architectures);
  EXPECT_EQ(maps, tried);
}

}  // namespace
}  // namespace reloadlab::sim
