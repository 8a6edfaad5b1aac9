#include "reference/shared_series/policy.h"

#include <gtest/gtest.h>

namespace reloadlab::shared_series {
namespace {

TEST(SeriesPolicy, SpellingsAreReadBack) {
  for (std::string_view text :
       {"seed", "hardened", "seed,target=relative", "hardened,join=first", "hardened,refill=current_stream", "hardened,binding=static",
        "seed,step=layer", "seed,handle=current,layout=checked", "hardened,sequence=trusted"}) {
    auto policy = parse_policy(text);
    ASSERT_TRUE(policy.ok()) << policy.status().message();
    EXPECT_EQ(spell_policy(*policy), text);
  }
}

// Static binding is for graphs; whoever wants it says so.
TEST(SeriesPolicy, ProfilesDifferInEveryRowButTheBinding) {
  auto seed = declared_policies(SeriesPolicy::seed()), hardened = declared_policies(SeriesPolicy::hardened());
  ASSERT_EQ(seed.size(), 11u);
  for (const auto& [key, value] : seed) EXPECT_EQ(hardened.at(key) == value, key == "binding") << key;
}

TEST(SeriesPolicy, CheckingTheOrderNeedsAWayBack) {
  EXPECT_EQ(parse_policy("seed,order=checked").status().message(),
            "policy order=checked needs recovery=reset: nothing else begins a pass anew");
  EXPECT_EQ(parse_policy("seed,loads=in_reload").status().message(),
            "policy loads=in_reload needs recovery=reset: there is no reload without");
}

TEST(SeriesPolicy, StaticBindingNeedsOffsets) {
  EXPECT_EQ(parse_policy("seed,binding=static").status().message(),
            "policy binding=static needs target=relative: a window's next layer follows from its offset");
  EXPECT_TRUE(parse_policy("seed,target=relative,binding=static").ok());
}

}  // namespace
}  // namespace reloadlab::shared_series
