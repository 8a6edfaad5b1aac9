#include "sim/fuzz/choices.h"

#include <gtest/gtest.h>

namespace reloadlab::sim::fuzz {
namespace {

// A number for the case as a whole, and one for each thing, of which there are at most four.
std::vector<uint32_t> draw(Choices& choices) {
  std::vector<uint32_t> drawn{choices.below(1000)};
  for (int at = 0;; ++at) {
    Choices::Scope about(choices, About::layer);
    if (!choices.chance(70, at < 4)) return drawn;
    drawn.push_back(choices.below(1000));
  }
}

TEST(Choices, OfOneSeedAreTheSameAndThoseOfAnotherAreNot) {
  Choices one(1), same(1), other(2);
  const auto drawn = draw(one);
  EXPECT_EQ(draw(same), drawn);
  EXPECT_NE(draw(other), drawn);
}

TEST(Choices, ThatAreGivenAgainSayTheSame) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Choices first(seed);
    const auto drawn = draw(first);
    Choices again(first.answers());
    EXPECT_EQ(draw(again), drawn);
    EXPECT_EQ(again.answers(), first.answers());
  }
}

TEST(Choices, ThatWereNotGivenAreTheSimplest) {
  Choices none{Answers()};
  EXPECT_EQ(draw(none), std::vector<uint32_t>{0});
}

TEST(Choices, ThatAreTooLargeAreTheLargest) {
  Choices choices(Answers{{5000}, {1, 5000}});
  EXPECT_EQ(draw(choices), (std::vector<uint32_t>{999, 999}));
}

TEST(Choices, OfAThingThatIsLeftOutAreNoOtherThings) {
  Choices choices(Answers{{1}, {1, 10}, {1, 20}, {1, 30}, {0}});
  EXPECT_EQ(draw(choices), (std::vector<uint32_t>{1, 10, 20, 30}));
  Choices fewer(Answers{{1}, {1, 10}, {1, 30}, {0}});
  EXPECT_EQ(draw(fewer), (std::vector<uint32_t>{1, 10, 30}));
  ASSERT_EQ(choices.stretches().size(), 4U);
  EXPECT_EQ(choices.stretches()[1].list, 2U);
  EXPECT_EQ(choices.stretches()[1].end, 2U);
}

// Otherwise a list that is left out would make the end of things the beginning of another one.
TEST(Choices, WhatIsNotAllowedIsAskedAndWrittenDownAsNo) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Choices choices(seed);
    EXPECT_FALSE(choices.chance(100, false));
    EXPECT_EQ(choices.answers(), (Answers{{0}}));
  }
  Choices given(Answers{{1}});
  EXPECT_FALSE(given.chance(100, false));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
