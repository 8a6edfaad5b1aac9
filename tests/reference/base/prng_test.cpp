#include "reference/base/prng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace reloadlab {
namespace {

// SplitMix64's published first outputs for seed 0: mix64(i * golden gamma) of the successive states.
TEST(Prng, mixes_as_published) { EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafULL); }

// FNV-1a's published values.
TEST(Prng, hashes_names_as_published) {
  EXPECT_EQ(hash_name(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(hash_name("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(hash_name("foobar"), 0x85944171f73967e8ULL);
}

TEST(Prng, gives_the_same_numbers_for_the_same_seed) {
  Prng first(7), second(7), other(8);
  std::vector<uint64_t> a, b, c;
  for (int i = 0; i < 100; ++i) a.push_back(first.next()), b.push_back(second.next()), c.push_back(other.next());
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(Prng, stays_below_the_bound_and_reaches_everything) {
  Prng prng(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(prng.below(7));
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Prng, splits_do_not_depend_on_what_else_was_drawn_from_them) {
  const Prng root(3);
  Prng data = root.split("data"), order = root.split("order"), order_again = root.split("order");
  data.next();
  EXPECT_EQ(order.next(), order_again.next());
  EXPECT_NE(root.split("data").next(), root.split("order").next());
}

TEST(Prng, shuffles_into_permutations_and_all_of_them) {
  std::set<std::vector<int>> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<int> items(3);
    std::iota(items.begin(), items.end(), 0);
    Prng(seed).shuffle(items);
    seen.insert(items);
    std::ranges::sort(items);
    EXPECT_EQ(items, (std::vector<int>{0, 1, 2}));
  }
  EXPECT_EQ(seen.size(), 6u);
}

}  // namespace
}  // namespace reloadlab
