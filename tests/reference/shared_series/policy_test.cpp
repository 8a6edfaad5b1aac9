#include "reference/shared_series/policy.h"

#include <gtest/gtest.h>

namespace reloadlab::shared_series {
namespace {

TEST(SeriesPolicy, SpellingsAreReadBack) {
  for (std::string_view text : {"seed", "hardened", "seed,target=relative", "hardened,join=first", "hardened,refill=current_stream"}) {
    auto policy = parse_policy(text);
    ASSERT_TRUE(policy.ok()) << policy.status().message();
    EXPECT_EQ(spell_policy(*policy), text);
  }
}

TEST(SeriesPolicy, ProfilesDifferInEveryRow) {
  auto seed = declared_policies(SeriesPolicy::seed()), hardened = declared_policies(SeriesPolicy::hardened());
  ASSERT_EQ(seed.size(), 5u);
  for (const auto& [key, value] : seed) EXPECT_NE(hardened.at(key), value) << key;
}

TEST(SeriesPolicy, CheckingTheOrderNeedsAWayBack) {
  EXPECT_EQ(parse_policy("seed,order=checked").status().message(),
            "policy order=checked needs recovery=reset: nothing else begins a pass anew");
}

}  // namespace
}  // namespace reloadlab::shared_series
