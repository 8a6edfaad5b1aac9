#include "sim/checkpoint/names.h"

#include <gtest/gtest.h>

#include <set>

namespace reloadlab::sim {
namespace {

constexpr std::string_view prefixes[] = {"wrapper.model.", "model."};
constexpr std::string_view ignored[] = {"layer.{i}.ids", "note"};
constexpr NameRule renamed[] = {
    {"layer.{i}.out.{w}", "blocks.{i}.o.{w}"},
    {"layer.{i}.up.{w}", "blocks.{i}.up.{w}"},
    {"head", "lm_head.weight"},
};
constexpr NameRule moved[] = {{"layer.{i}.k.scale", "layer.{i}.attn.scale"},
                              {"layer.{i}.scale", "layer.{i}.attn.scale"},
                              {"layer.{i}.up.scale", "layer.{i}.a.scale"}};
constexpr std::string_view other_parts[] = {"tower."};
constexpr PartRule stacked[] = {{"up", "gate_up", "1"}};
constexpr PartRule names_experts[] = {{"down", "w2", "w2"}};
constexpr NameMap map{.id = "test", .prefixes = prefixes, .ignored = ignored, .renamed = renamed, .stacked = stacked};
constexpr NameMap open_map{.id = "open",
                           .prefixes = prefixes,
                           .other_parts = other_parts,
                           .moved = moved,
                           .experts = names_experts,
                           .stacked = stacked,
                           .blocks = "layer."};

using One = std::optional<Target>;

TEST(Names, RulesCarryNumberAndWordOver) {
  EXPECT_EQ(map.target("layer.12.out.weight"), One(Target{"blocks.12.o.weight"}));
  EXPECT_EQ(map.target("head"), One(Target{"lm_head.weight"}));
}

TEST(Names, ARuleFitsWholeNamesOnly) {
  for (std::string_view name :
       {"layer.1.out", "layer.1.out.", "layer..out.bias", "layer.x.out.bias", "layer.1.out.a.b", "xlayer.1.out.bias", "heads", "hea", ""})
    EXPECT_EQ(map.target(name), std::nullopt) << name;
}

TEST(Names, WhatIsRenamedMayBeAPart) { EXPECT_EQ(map.target("model.layer.1.up.bias"), One({"blocks.1.gate_up.bias", "1"})); }

TEST(Names, TheLongestPrefixThatFitsComesOffOnce) {
  EXPECT_EQ(map.target("wrapper.model.head"), One(Target{"lm_head.weight"}));
  EXPECT_EQ(map.target("model.model.head"), std::nullopt);
  EXPECT_TRUE(map.ignores("model.note"));
}

TEST(Names, IgnoredNamesArePatternsToo) {
  EXPECT_TRUE(map.ignores("layer.3.ids"));
  EXPECT_TRUE(map.ignores("note"));
  EXPECT_FALSE(map.ignores("layer.3.out.weight"));
}

TEST(Names, APartIsTheLastWordButOne) {
  EXPECT_EQ(open_map.target("a.up.weight"), One({"a.gate_up.weight", "1"}));
  EXPECT_EQ(open_map.target("up.weight"), One({"gate_up.weight", "1"}));
  for (const char* name : {"up", "up.proj.weight", "a.upper.weight", "a.weight.up"})
    EXPECT_EQ(open_map.target(name), One(Target{name})) << name;
}

TEST(Names, WhatIsMovedIsNoPartAndIsCalledByItsFirstName) {
  EXPECT_EQ(open_map.target("model.layer.3.k.scale"), One(Target{"layer.3.attn.scale"}));
  EXPECT_EQ(open_map.target("layer.3.scale"), One(Target{"layer.3.attn.scale"}));
  EXPECT_EQ(open_map.target("layer.3.up.scale"), One(Target{"layer.3.a.scale"}));
  EXPECT_EQ(open_map.stored_name({"layer.3.attn.scale"}), "layer.3.k.scale");
}

TEST(Names, OtherPartsOfAModelAreIgnored) {
  EXPECT_TRUE(open_map.ignores("model.tower.layer.0.up.weight"));
  EXPECT_TRUE(open_map.ignores("tower.head"));
  EXPECT_FALSE(open_map.ignores("layer.tower.head"));
  EXPECT_FALSE(open_map.ignores("towers.head"));
}

TEST(Names, AnExpertHasItsNumberBehindTheWordExperts) {
  EXPECT_EQ(open_map.target("a.experts.12.down.weight"), One({"a.experts.w2_weight", "w2", 12}));
  EXPECT_EQ(open_map.target("experts.0.down.scale"), One({"experts.w2_scale", "w2", 0}));
  for (const char* name : {"a.experts.x.down.weight", "a.experts.-1.down.weight", "a.experts.down.weight", "a.myexperts.1.down.weight",
                           "a.experts.1.other.weight", "a.experts.99999999999999999999.down.weight", "experts.1.down"})
    EXPECT_EQ(open_map.target(name), One(Target{name})) << name;
}

TEST(Names, ABlockIsTheNumberBehindItsWord) {
  EXPECT_EQ(open_map.block("model.layer.61.norm"), 61);
  EXPECT_EQ(open_map.block("layer.x.norm"), std::nullopt);
  EXPECT_EQ(open_map.block("norm"), std::nullopt);
  EXPECT_EQ(map.block("layer.61.norm"), std::nullopt);
}

TEST(Names, TheEmptyMapLeavesNamesAsTheyAre) {
  Result<NameMap> found = find_name_map("");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->target("model.any.name"), One(Target{"model.any.name"}));
  EXPECT_FALSE(found->ignores("any.name"));
}

TEST(Names, AnUnknownMapIsAnErrorWithTheNearestSpelling) {
  EXPECT_EQ(find_name_map("brt").status().message(),
            "no name map is called \"brt\", expected one of bert, llama, qwen_moe, deepseek; did you mean \"bert\"?");
  EXPECT_EQ(find_name_map("brt").status().code(), Code::data);
}

// A rule that another one hides, or that drops a number, would send two stored tensors to one delivery.
TEST(Names, RulesOfEveryMapKeepWhatTheyCapture) {
  for (const NameMap& each : name_maps()) {
    std::set<std::string_view> from, to;
    for (const NameRule& rule : each.renamed) {
      EXPECT_TRUE(from.insert(rule.stored).second) << rule.stored;
      EXPECT_TRUE(to.insert(rule.ours).second) << rule.ours;
      for (std::string_view mark : {"{i}", "{w}"})
        EXPECT_EQ(rule.stored.find(mark) == rule.stored.npos, rule.ours.find(mark) == rule.ours.npos) << rule.stored;
    }
    for (const auto& parts : {each.stacked, each.experts}) {
      std::set<std::string_view> words;
      std::set<std::pair<std::string_view, std::string_view>> shards;
      for (const PartRule& rule : parts) {
        EXPECT_TRUE(words.insert(rule.stored).second) << rule.stored;
        EXPECT_TRUE(shards.emplace(rule.parameter, rule.shard).second) << rule.stored;
      }
    }
  }
}

}  // namespace
}  // namespace reloadlab::sim
