#include "sim/candidate/candidate.h"

#include <gtest/gtest.h>

#include "reference/base/check.h"
#include "sim/candidate/declared.h"
#include "sim/candidate/plugin.h"

namespace reloadlab::sim {
namespace {

TEST(Candidate, BothProfilesOfLayerwiseReloadAreFoundByName) {
  EXPECT_EQ((std::vector<std::string>{"layerwise@seed", "layerwise@hardened"}), default_candidates("layerwise"));
  for (const std::string& name : default_candidates("layerwise")) {
    Result<CandidateInfo> info = find_candidate(name);
    ASSERT_TRUE(info.ok()) << info.status().message();
    EXPECT_EQ(name, info->name);
    EXPECT_EQ("layerwise", info->system);
    EXPECT_TRUE(info->make_reloader({}).ok());
  }
}

TEST(Candidate, AnUnknownSystemHasNoDefaults) { EXPECT_TRUE(default_candidates("somewhere_else").empty()); }

TEST(Candidate, OfReleasesTheNearestNameHasTheirVersion) {
  EXPECT_EQ(find_candidate("vlm@0.17.1").status().message(), "no candidate is called \"vlm@0.17.1\"; did you mean \"vllm@0.17.1\"?");
}

TEST(Candidate, AProfileComesBehindTheEndingOfALibrary) {
  using Parts = std::pair<std::string, std::string>;
  EXPECT_EQ(split_plugin("a@b/mine.so@fast"), Parts("a@b/mine.so", "fast"));
  EXPECT_EQ(split_plugin("mine.so"), Parts("mine.so", ""));
  EXPECT_EQ(split_plugin("./mine@2.so"), Parts("./mine@2.so", ""));
  EXPECT_EQ(split_plugin("./mine@2.so@fast"), Parts("./mine@2.so", "fast"));
  EXPECT_EQ(split_plugin("./mine@fast"), Parts("./mine", "fast"));
}

TEST(Candidate, MayDeclareOnlyWhatThereIs) {
  const auto why = [](const std::string& policy, const std::string& value) {
    return check_declared({.name = "mine", .declared = {{policy, value}}}).message();
  };
  EXPECT_EQ(why("completion", "finish"), "");
  EXPECT_EQ(why("binding", "static"), "");
  EXPECT_EQ(why("completoin", "finish"), "mine declares \"completoin\", which is no policy; did you mean \"completion\"?");
  EXPECT_EQ(why("abort", "bakcup"), "mine declares abort=\"bakcup\", expected backup, none, unusable; did you mean \"backup\"?");
}

TEST(Candidate, DeclaresThePoliciesThatLawsJudgeAgainst) {
  const CandidateInfo seed = *find_candidate("layerwise@seed"), hardened = *find_candidate("layerwise@hardened");
  const CandidateInfo streaming = *find_candidate("layerwise@hardened,abort=unusable,missing=reject");
  EXPECT_EQ("none", seed.declared.at("abort"));
  EXPECT_EQ("silent", seed.declared.at("missing"));
  EXPECT_EQ("numel", seed.declared.at("completion"));
  EXPECT_EQ("undefined", seed.declared.at("misuse"));
  EXPECT_EQ("backup", hardened.declared.at("abort"));
  EXPECT_EQ("warn", hardened.declared.at("excess"));
  EXPECT_EQ("owned", hardened.declared.at("buffering"));
  EXPECT_EQ("unusable", streaming.declared.at("abort"));
  EXPECT_EQ("reject", streaming.declared.at("missing"));
}

TEST(Candidate, TheNameIsTheShortestSpelling) {
  EXPECT_EQ("layerwise@hardened,abort=unusable", find_candidate("layerwise@hardened,excess=warn,abort=unusable")->name);
}

TEST(Candidate, WhatIsMisspeltIsAnsweredWithTheNearestSpelling) {
  const std::pair<const char*, const char*> wrong[] = {{"layerwis@seed", "did you mean \"layerwise@seed\"?"},
                                                       {"layerwise@hardend", "did you mean \"hardened\"?"},
                                                       {"layerwise@seed,unloaded=preserv", "did you mean \"preserve\"?"},
                                                       {"layerwise", "needs a profile: layerwise@seed, layerwise@hardened"},
                                                       {"pyton:mine:Mine", "did you mean \"python:mine:Mine\"?"},
                                                       {"layerwise@", "needs a profile: layerwise@seed, layerwise@hardened"}};
  for (const auto& [spelling, answer] : wrong) {
    Result<CandidateInfo> info = find_candidate(spelling);
    ASSERT_FALSE(info.ok()) << spelling;
    EXPECT_EQ(Code::usage, info.status().code());
    EXPECT_NE(std::string::npos, info.status().message().find(answer)) << info.status().message();
  }
}

TEST(Candidate, AnybodyMayRegisterAFamilyOnce) {
  auto make = [](const std::string& spelling) -> Result<CandidateInfo> {
    return CandidateInfo{.name = "mine@" + spelling, .system = "layerwise"};
  };
  register_candidate("mine", make);
  EXPECT_EQ("mine@x", find_candidate("mine@x")->name);
  EXPECT_EQ("mine@mine", find_candidate("mine")->name);
  const std::vector<std::string> names = candidate_names();
  EXPECT_NE(names.end(), std::find(names.begin(), names.end(), "mine"));
  EXPECT_THROW(register_candidate("mine", make), Defect);
  EXPECT_THROW(register_profiles("nobody", {}), Defect);
}

}  // namespace
}  // namespace reloadlab::sim
