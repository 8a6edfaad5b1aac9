#include "sim/checkpoint/names.h"

#include <gtest/gtest.h>

#include <set>

namespace reloadlab::sim {
namespace {

constexpr NameRule rules[] = {
    {"layer.{i}.out.{w}", "blocks.{i}.o.{w}"},
    {"head", "lm_head.weight"},
};
constexpr std::string_view ignored[] = {"layer.{i}.ids", "note"};
constexpr NameMap map{.id = "test", .rules = rules, .ignored = ignored};

TEST(Names, RulesCarryNumberAndWordOver) {
  EXPECT_EQ(map.delivery_name("layer.12.out.weight"), "blocks.12.o.weight");
  EXPECT_EQ(map.delivery_name("head"), "lm_head.weight");
}

TEST(Names, ARuleFitsWholeNamesOnly) {
  for (std::string_view name :
       {"layer.1.out", "layer.1.out.", "layer..out.bias", "layer.x.out.bias", "layer.1.out.a.b", "xlayer.1.out.bias", "heads", "hea", ""})
    EXPECT_EQ(map.delivery_name(name), std::nullopt) << name;
}

TEST(Names, IgnoredNamesArePatternsToo) {
  EXPECT_TRUE(map.ignores("layer.3.ids"));
  EXPECT_TRUE(map.ignores("note"));
  EXPECT_FALSE(map.ignores("layer.3.out.weight"));
}

TEST(Names, TheEmptyMapLeavesNamesAsTheyAre) {
  Result<NameMap> found = find_name_map("");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->delivery_name("any.name"), "any.name");
  EXPECT_FALSE(found->ignores("any.name"));
}

TEST(Names, AnUnknownMapIsAnErrorWithTheNearestSpelling) {
  EXPECT_EQ(find_name_map("brt").status().message(), "no name map is called \"brt\", expected one of bert; did you mean \"bert\"?");
  EXPECT_EQ(find_name_map("brt").status().code(), Code::data);
}

// A rule that another one hides, or that drops a number, would send two stored tensors to one delivery.
TEST(Names, RulesOfEveryMapKeepWhatTheyCapture) {
  for (std::string_view id : name_map_ids()) {
    std::set<std::string_view> stored, delivered;
    Result<NameMap> found = find_name_map(id);
    ASSERT_TRUE(found.ok());
    for (const NameRule& rule : found->rules) {
      EXPECT_TRUE(stored.insert(rule.stored).second) << rule.stored;
      EXPECT_TRUE(delivered.insert(rule.delivered).second) << rule.delivered;
      for (std::string_view mark : {"{i}", "{w}"})
        EXPECT_EQ(rule.stored.find(mark) == rule.stored.npos, rule.delivered.find(mark) == rule.delivered.npos) << rule.stored;
    }
  }
}

}  // namespace
}  // namespace reloadlab::sim
