#include "reference/base/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace reloadlab {
namespace {

TEST(EditDistance, counts_inserts_erases_replacements_and_neighbour_swaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abc", "abxc"), 1u);
  EXPECT_EQ(edit_distance("abc", "ac"), 1u);
  EXPECT_EQ(edit_distance("abc", "axc"), 1u);
  EXPECT_EQ(edit_distance("abc", "acb"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

constexpr std::array<std::string_view, 3> words = {"reload", "prepare", "finish"};

TEST(Nearest, is_the_word_with_the_fewest_edits_if_it_is_near_enough) {
  EXPECT_EQ(nearest("relaod", words), "reload");
  EXPECT_EQ(nearest("finsh", words), "finish");
  EXPECT_EQ(nearest("elephant", words), "");
  EXPECT_EQ(nearest("x", std::array<std::string_view, 0>{}), "");
}

TEST(Nearest, prefers_the_first_of_equals) { EXPECT_EQ(nearest("abd", std::array<std::string_view, 2>{"abc", "abe"}), "abc"); }

TEST(Nearest, is_what_the_word_means_before_what_it_looks_like) {
  EXPECT_EQ(nearest("gpu", std::array<std::string_view, 3>{"cpu", "meta", "cuda"}), "cuda");
  EXPECT_EQ(nearest("gpu", std::array<std::string_view, 2>{"cpu", "meta"}), "cpu");
}

TEST(Nearest, becomes_half_a_sentence) {
  EXPECT_EQ(did_you_mean("prepar", words), "; did you mean \"prepare\"?");
  EXPECT_EQ(did_you_mean("elephant", words), "");
}

}  // namespace
}  // namespace reloadlab
