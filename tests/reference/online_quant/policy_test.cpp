#include "reference/online_quant/policy.h"

#include <gtest/gtest.h>

namespace reloadlab::online_quant {
namespace {

TEST(OnlineQuantPolicy, profiles_parse_to_themselves) {
  EXPECT_EQ(OnlineQuantPolicy::seed(), *parse_policy("seed"));
  EXPECT_EQ(OnlineQuantPolicy::hardened(), *parse_policy("hardened"));
  EXPECT_EQ("seed,created=in_place", spell_policy(*parse_policy("seed,created=in_place")));
}

TEST(OnlineQuantPolicy, layers_are_reloaded_with_what_it_says) {
  const OnlineQuantPolicy policy = *parse_policy("hardened,abort=unusable,missing=reject,shadow=keep");
  EXPECT_EQ(*layerwise::parse_policy("hardened,abort=unusable,missing=reject,shadow=keep,landing=materialized"), policy.of_layers());
}

TEST(OnlineQuantPolicy, declares_its_own_and_what_its_layers_do) {
  const auto hardened = declared_policies(OnlineQuantPolicy::hardened()), seed = declared_policies(OnlineQuantPolicy::seed());
  EXPECT_EQ("layer", hardened.at("scope"));
  EXPECT_EQ("elements", hardened.at("completion"));
  EXPECT_EQ("backup", hardened.at("abort"));
  EXPECT_EQ("finish", seed.at("completion"));
  EXPECT_EQ("none", seed.at("abort"));
}

TEST(OnlineQuantPolicy, contradictions_and_unknown_words_name_what_would_do) {
  const auto message = [](const char* spelling) { return parse_policy(spelling).status().message(); };
  EXPECT_EQ("online-quantization reload has no profile \"sede\"; did you mean \"seed\"?", message("sede"));
  EXPECT_EQ("online-quantization reload has no policy \"scop\"; did you mean \"scope\"?", message("seed,scop=layer"));
  EXPECT_EQ("policy abort needs scope=layer", message("seed,abort=backup"));
  EXPECT_EQ("policy excess, missing and unexpected need scope=layer", message("seed,missing=warn"));
  EXPECT_EQ("policy shadow=keep needs scope=layer", message("seed,shadow=keep"));
  EXPECT_EQ("policy scope=layer needs created=in_place", message("seed,scope=layer"));
  EXPECT_EQ("policy scope=layer needs restored=dropped", message("seed,scope=layer,created=in_place,ties=all,callables=kept"));
  EXPECT_EQ("policy scope=layer needs ties=all", message("hardened,ties=first"));
  EXPECT_EQ("policy scope=layer needs callables=kept", message("hardened,callables=bound"));
}

}  // namespace
}  // namespace reloadlab::online_quant
