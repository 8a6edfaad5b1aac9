#include "reference/layerwise/policy.h"

#include <gtest/gtest.h>

namespace reloadlab::layerwise {
namespace {

TEST(Policy, ProfilesParseToThemselves) {
  EXPECT_EQ(LayerwisePolicy::seed(), *parse_policy("seed"));
  EXPECT_EQ(LayerwisePolicy::hardened(), *parse_policy("hardened"));
  EXPECT_NE(LayerwisePolicy::seed(), LayerwisePolicy::hardened());
}

TEST(Policy, SinglePoliciesChangeOneThing) {
  Result<LayerwisePolicy> parsed = parse_policy("seed,unloaded=preserve,missing=warn");
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  LayerwisePolicy expected = LayerwisePolicy::seed();
  expected.unloaded = Unloaded::preserve;
  expected.missing = Coverage::warn;
  EXPECT_EQ(expected, *parsed);
}

TEST(Policy, SpellingsAreTheShortestThatReadBack) {
  for (const char* spelling :
       {"seed", "hardened", "hardened,abort=unusable", "seed,unloaded=preserve", "hardened,excess=reject,missing=accept"}) {
    EXPECT_EQ(spelling, spell_policy(*parse_policy(spelling)));
  }
  EXPECT_EQ("seed", spell_policy(*parse_policy("seed,misuse=undefined")));
}

TEST(Policy, EveryPolicyIsDeclaredByTheNameThatSetsIt) {
  const auto declared = declared_policies(LayerwisePolicy::hardened());
  EXPECT_EQ("backup", declared.at("abort"));
  EXPECT_EQ("elements", declared.at("completion"));
  EXPECT_EQ("error", declared.at("misuse"));
  std::string spelling = "hardened";
  for (const auto& [key, value] : declared) spelling += "," + key + "=" + value;
  EXPECT_EQ(LayerwisePolicy::hardened(), *parse_policy(spelling));
  EXPECT_EQ(declared.size(), policy_choices().size());
}

struct Bad {
  const char* spelling;
  const char* message;
};

class BadPolicy : public ::testing::TestWithParam<Bad> {};

TEST_P(BadPolicy, NamesTheNearestSpelling) {
  Result<LayerwisePolicy> parsed = parse_policy(GetParam().spelling);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(Code::usage, parsed.status().code());
  EXPECT_NE(std::string::npos, parsed.status().message().find(GetParam().message)) << parsed.status().message();
}

INSTANTIATE_TEST_SUITE_P(All, BadPolicy,
                         ::testing::Values(Bad{"", "no profile \"\""}, Bad{"sede", "did you mean \"seed\"?"},
                                           Bad{"hardend", "did you mean \"hardened\"?"},
                                           Bad{"hardened,abbort=backup", "did you mean \"abort\"?"},
                                           Bad{"hardened,abort=unuseable", "did you mean \"unusable\"?"},
                                           Bad{"hardened,abort", "policy abort is one of none, backup, unusable"},
                                           Bad{"hardened,", "no policy \"\""}, Bad{"seed,completion=elements", "needs records=sealed"},
                                           Bad{"seed,abort=backup", "abort needs"}, Bad{"hardened,records=lent", "needs records=sealed"},
                                           Bad{"hardened,names=reregister", "needs names=keep"},
                                           Bad{"hardened,misuse=undefined", "lifetime=model needs"},
                                           Bad{"seed,shadow=keep", "shadow=keep needs unloaded=preserve"}));

}  // namespace
}  // namespace reloadlab::layerwise
