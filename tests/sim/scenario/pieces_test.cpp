// The parts below the parser: spellings, ranges, globs, limits, folders.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "reference/base/nearest.h"
#include "sim/scenario/ranges.h"
#include "sim/scenario/scenario.h"
#include "sim/scenario/schema.h"

namespace reloadlab::sim {
namespace {

TEST(Nearest, counts_edits_and_swaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("weight", "weight"), 0u);
  EXPECT_EQ(edit_distance("wieght", "weight"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, offers_the_first_of_the_nearest_and_nothing_far_away) {
  const std::vector<std::string> words{"weight", "weights", "bias"};
  EXPECT_EQ(nearest("weigth", words), "weight");
  EXPECT_EQ(nearest("zebra", words), "");
  EXPECT_EQ(did_you_mean("bais", words), "; did you mean \"bias\"?");
  EXPECT_EQ(did_you_mean("zebra", words), "");
}

std::vector<std::string> names(std::string_view pattern, size_t most = 100) {
  std::vector<std::string> result;
  if (const auto expanded = expand_ranges(pattern, most))
    for (const Expanded& one : *expanded) result.push_back(one.name);
  return result;
}

TEST(Ranges, multiply_with_the_last_counting_fastest) {
  EXPECT_EQ(names("plain"), (std::vector<std::string>{"plain"}));
  EXPECT_EQ(names("a{0..1}b{3..2}"), (std::vector<std::string>{"a0b3", "a0b2", "a1b3", "a1b2"}));
}

TEST(Ranges, refuse_what_is_no_range_or_too_much) {
  for (const char* bad : {"a{0..}", "a{..3}", "a{0-3}", "a{0..3", "a}0", "a{-1..3}", "a{0..99999999999}"})
    EXPECT_FALSE(expand_ranges(bad, 100)) << bad;
  EXPECT_TRUE(expand_ranges("{0..9}{0..9}", 100));
  EXPECT_FALSE(expand_ranges("{0..9}{0..10}", 100));
  EXPECT_FALSE(expand_ranges("{0..2147483647}{0..2147483647}{0..2147483647}", 1 << 16));
}

TEST(Ranges, lead_texts_that_repeat_them) {
  const auto expanded = expand_ranges("b{4..5}.x{0..1}", 100);
  ASSERT_TRUE(expanded);
  EXPECT_EQ(follow("b{4..5}.y{0..1}.w", expanded->back().bindings), "b5.y1.w");
  EXPECT_EQ(follow("other{0..9}", expanded->back().bindings), "other{0..9}");
}

TEST(Globs, match_whole_names) {
  EXPECT_TRUE(glob_match("*.weight", "a.b.weight"));
  EXPECT_TRUE(glob_match("a?c*", "abc"));
  EXPECT_TRUE(glob_match("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob_match("*.weight", "a.weight_scale"));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_FALSE(glob_match("a?", "a"));
}

TEST(Limits, refuse_a_large_file_before_reading_it) {
  const auto cases = parse_scenario(std::string(limits::file_bytes + 1, '#'), "t.yaml", {});
  ASSERT_FALSE(cases.ok());
  EXPECT_EQ(cases.status().message(), "t.yaml:1:1: a file of 1048577 bytes, expected at most 1048576");
}

TEST(Limits, cut_the_list_of_errors_and_say_so) {
  std::string text = "reloadlab: 1\n";
  for (int i = 0; i < 500; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const auto cases = parse_scenario(text, "t.yaml", {});
  ASSERT_FALSE(cases.ok());
  EXPECT_NE(cases.status().message().find("and 30"), std::string::npos) << cases.status().message().substr(0, 500);
}

// A folder of its own for one test.
class Folder : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() /
            ("reloadlab-find-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(root_);
    for (const char* file : {"b/two.yaml", "a/one.yml", "expectations/known.yaml", "b/notes.md"}) {
      std::filesystem::create_directories((root_ / file).parent_path());
      std::ofstream(root_ / file) << "x";
    }
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::filesystem::path root_;
};

TEST_F(Folder, gives_its_scenarios_sorted_and_no_expectations) {
  const auto files = find_scenarios({root_.string(), (root_ / "a/one.yml").string()});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files, (std::vector<std::filesystem::path>{root_ / "a/one.yml", root_ / "b/two.yaml"}));
}

TEST_F(Folder, gives_a_named_file_whatever_it_is_called) {
  const auto files = find_scenarios({(root_ / "b/notes.md").string()});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->size(), 1u);
}

TEST_F(Folder, called_scenarios_is_the_programs_where_there_is_none) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(root_ / "b");
  supply_scenarios(root_);
  EXPECT_EQ(*find_scenarios({"scenarios"}), (std::vector<std::filesystem::path>{root_ / "a/one.yml", root_ / "b/two.yaml"}));
  EXPECT_EQ(*find_scenarios({"./scenarios/a/one.yml"}), std::vector<std::filesystem::path>{root_ / "a/one.yml"});
  EXPECT_EQ(find_scenarios({"scenarios/c"}).status().message(), "scenarios/c: no such file or folder, expected scenarios");
  EXPECT_EQ(find_scenarios({"a/one.yml"}).status().code(), Code::usage) << "what is called otherwise is not looked for";
  std::filesystem::create_directories("scenarios");
  std::ofstream("scenarios/own.yaml") << "x";
  EXPECT_EQ(*find_scenarios({"scenarios"}), std::vector<std::filesystem::path>{"scenarios/own.yaml"});
  supply_scenarios({});
  std::filesystem::current_path(before);
}

TEST_F(Folder, that_is_not_there_is_an_error) {
  EXPECT_EQ(find_scenarios({(root_ / "c").string()}).status().code(), Code::usage);
  EXPECT_EQ(read_scenario(root_ / "c.yaml", {}).status().code(), Code::data);
}

}  // namespace
}  // namespace reloadlab::sim
