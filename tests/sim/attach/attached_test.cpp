// A live model of two layers, made by hand; each test does to it what a wrong reload would do.
#include "sim/attach/attached.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace reloadlab::sim {
namespace {

using Kind = CensusEntry::Kind;

struct Live {
  at::Tensor weight, scale, helper;
  int64_t handle = 0;
  std::string loader = "-", flags;
  static Live holding(double value) { return {at::full({4, 2}, value, at::kBFloat16), at::full({1}, value), at::full({2}, value)}; }
  void load(double value) { weight.fill_(value), scale.fill_(value), helper.fill_(value); }
  Moment moment() const {
    return {{{{.path = "fc.weight", .layer = "fc", .handle = handle, .tensor_class = "Parameter", .loader = loader}, weight},
             {{.path = "fc.scale", .layer = "fc", .kind = Kind::buffer, .handle = 1}, scale},
             {{.path = "fc.extra:kernel.scale", .layer = "fc", .kind = Kind::extra_tensor}, helper}},
            flags};
  }
};

class AttachedTest : public ::testing::Test {
 protected:
  void start(AttachOptions options = {}) {
    auto made = Attached::make(std::move(options));
    ASSERT_TRUE(made.ok()) << made.status().message();
    attached.emplace(*std::move(made));
    attached->cold("A", Live::holding(1).moment());
    attached->cold("B", Live::holding(2).moment());
    attached->begin("A", live.moment());
  }
  void to_b(Update told = {}) {
    told.checkpoint = "B";
    live.load(2);
    attached->update(told, live.moment());
  }
  void to_a(Update told = {}) {
    told.checkpoint = "A";
    live.load(1);
    attached->update(told, live.moment());
  }
  LawResult law(std::string_view id) const {
    for (LawResult& each : judge_attached(attached->evidence()).laws)
      if (each.law == id) return each;
    return {.law = "none", .state = State::inconclusive};
  }
  std::string what(std::string_view id) const {
    const LawResult found = law(id);
    return found.finding ? found.finding->tensor + " " + found.finding->what : std::string(state_name(found.state));
  }
  std::vector<std::string> broken() const {
    std::vector<std::string> ids;
    for (const LawResult& each : judge_attached(attached->evidence()).laws)
      if (each.state == State::fail) ids.push_back(each.law);
    return ids;
  }

  Live live = Live::holding(1);
  std::optional<Attached> attached;
};

using Names = std::vector<std::string>;

TEST_F(AttachedTest, WhatReloadsInPlaceKeepsAllLaws) {
  start({.extra_bytes = 100});
  to_b(), to_a();
  EXPECT_EQ(broken(), Names());
  EXPECT_GT(law("cold_load_equal").checks, 0);
  EXPECT_GT(law("return_exact").checks, 0);
  EXPECT_GT(law("address_stable").checks, 0);
  EXPECT_GT(law("no_leak").checks, 0);
  EXPECT_GT(law("memory_bound").checks, 0);
}

TEST_F(AttachedTest, SaysWhatIsBrokenInTheWordsOfReports) {
  start();
  to_b();
  EXPECT_EQ(text_of(judge_attached(attached->evidence())), "attached: 5 laws hold");
  const at::Tensor old = std::exchange(live.scale, at::full({1}, 1.0));
  to_a();
  const std::string text = text_of(judge_attached(attached->evidence()));
  EXPECT_TRUE(
      text.starts_with("attached:\nfail address_stable: Storages, layouts, classes and what shares what are the same after an "
                       "update as before it.\nwarm, rank 0, step 2: reload to A\nfc.scale\nis storage "))
      << text;
}

TEST_F(AttachedTest, AStaleHelperIsNoColdLoad) {
  start();
  const at::Tensor stale = live.helper.clone();
  live.load(2);
  live.helper.copy_(stale);
  attached->update({.checkpoint = "B"}, live.moment());
  EXPECT_EQ(broken(), Names{"cold_load_equal"});
  EXPECT_EQ(law("cold_load_equal").finding->tensor, "fc.extra:kernel.scale");
}

TEST_F(AttachedTest, ATensorThatMovedIsSeenEvenWhereItLiesAtTheOldAddress) {
  start();
  live.weight = at::full({4, 2}, 2.0, at::kBFloat16);  // what the old one held is free and may be what this one got
  to_b();
  EXPECT_EQ(broken(), Names{"address_stable"});
  EXPECT_EQ(law("address_stable").finding->tensor, "fc.weight");
}

TEST_F(AttachedTest, DataThatIsSetMovesItsTensor) {
  start();
  live.weight.set_(at::full({4, 2}, 2.0, at::kBFloat16));
  to_b();
  EXPECT_EQ(broken(), Names{"address_stable"});
}

TEST_F(AttachedTest, ALoaderThatStaysWrappedIsResidue) {
  start();
  live.loader = "online_process_loader";
  to_b();
  EXPECT_EQ(what("no_residue"), "fc.weight has loader online_process_loader, had -");
}

TEST_F(AttachedTest, FlagsAreToBeAsTheyWere) {
  start();
  live.flags = "training=1";
  to_b();
  EXPECT_EQ(broken(), Names{"no_residue"});
}

TEST_F(AttachedTest, WhatGrowsFromUpdateToUpdateLeaks) {
  start();
  to_b({.live_parameters = 5}), to_a({.live_parameters = 5}), to_b({.live_parameters = 6});
  EXPECT_EQ(broken(), Names{"no_leak"});
  EXPECT_NE(what("no_leak").find("1 more parameter alive"), std::string::npos) << what("no_leak");
}

TEST_F(AttachedTest, WhatIsForgottenDoesNotHideGrowth) {
  start();
  to_b({.live_bytes = 100});
  attached->forget();
  EXPECT_EQ(attached->evidence().executions.front().steps.size(), 1u);
  to_a({.live_bytes = 100});
  EXPECT_EQ(broken(), Names());
  attached->forget();
  to_b({.live_bytes = 101});
  EXPECT_EQ(broken(), Names{"no_leak"});
  live.weight = at::full({4, 2}, 1.0, at::kBFloat16);
  attached->forget();
  to_a({.live_bytes = 100});
  EXPECT_EQ(broken(), Names{"address_stable"});
}

TEST_F(AttachedTest, MemoryIsHeldAgainstTheLimitThatIsGiven) {
  start({.extra_bytes = 100});
  to_b({.extra_bytes_peak = 100});
  EXPECT_EQ(broken(), Names());
  to_a({.extra_bytes_peak = 101});
  EXPECT_EQ(broken(), Names{"memory_bound"});
}

TEST_F(AttachedTest, WithoutBytesOnlyWhatNeedsNoneIsJudged) {
  start({.bytes = false});
  live.weight.fill_(7);
  to_b();
  EXPECT_EQ(broken(), Names());
  EXPECT_EQ(what("cold_load_equal"), "inconclusive");  // it is not among the laws
  for (const Census& census : attached->evidence().executions.front().ranks.front().censuses)
    for (const CensusEntry& entry : census.entries) EXPECT_EQ(entry.content, nullptr);
}

TEST_F(AttachedTest, AGraphThatReadsWhatWasThere) {
  auto made = Attached::make({});
  ASSERT_TRUE(made.ok());
  attached.emplace(*std::move(made));
  const auto gives = [](double value) { return std::vector<GraphOutput>{{"decode", at::full({3}, value)}}; };
  attached->cold("A", Live::holding(1).moment(), gives(10));
  attached->cold("B", Live::holding(2).moment(), gives(20));
  attached->begin("A", live.moment());
  attached->graphs(gives(10));
  to_b();
  attached->graphs(gives(20));
  EXPECT_EQ(broken(), Names());
  EXPECT_EQ(law("graph_replay").checks, 2);
  to_a();
  attached->graphs(gives(20));
  EXPECT_EQ(broken(), Names{"graph_replay"});
}

TEST_F(AttachedTest, AnUpdateThatThrows) {
  start();
  to_b({.status = Status(Code::failed, "RuntimeError: no such tensor")});
  EXPECT_NE(what("survives").find("RuntimeError: no such tensor"), std::string::npos) << what("survives");
}

TEST_F(AttachedTest, NotOneByteOfWhatWasSentArrives) {
  start();
  attached->update({.checkpoint = "B"}, live.moment());
  EXPECT_EQ(broken(), (Names{"cold_load_equal", "return_exact"}));
}

TEST_F(AttachedTest, ElementTypesWithoutANameAreBytes) {
  live.weight = at::zeros({2}, at::kComplexFloat);
  start({.laws = {"address_stable", "return_exact"}});
  attached->update({.checkpoint = "A"}, live.moment());
  EXPECT_EQ(broken(), Names());
  live.weight.fill_(1);
  attached->update({.checkpoint = "A"}, live.moment());
  EXPECT_EQ(broken(), Names{"return_exact"});
}

TEST(AttachedRanks, ArePutTogetherInAnyOrder) {
  std::vector<Evidence> parts;
  for (const int rank : {1, 0}) {
    auto attached = Attached::make({.rank = rank, .ranks = 2});
    ASSERT_TRUE(attached.ok());
    Live live = Live::holding(1);
    attached->cold("B", Live::holding(2).moment());
    attached->begin("A", live.moment());
    live.load(rank == 1 ? 3 : 2);
    attached->update({.checkpoint = "B"}, live.moment());
    parts.push_back(attached->evidence());
  }
  EXPECT_EQ(merge_attached({parts[0]}).status().message(), "rank 0 of 2 is missing");
  EXPECT_EQ(merge_attached({parts[0], parts[0]}).status().message(), "rank 1 is there twice");
  auto other = parts;
  other[1].the_case.scenario = "other";
  EXPECT_EQ(merge_attached(other).status().message(), "\"attached\" with 2 ranks and \"other\" with 2 are of different runs");
  const auto whole = merge_attached(parts);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  for (const LawResult& law : judge_attached(*whole).laws) {
    EXPECT_EQ(law.state == State::fail, law.law == "cold_load_equal") << law.law << law.reason;
    EXPECT_EQ(law.finding ? law.finding->rank : 1, 1);
  }
}

TEST(AttachedLaws, AreSpelled) {
  EXPECT_EQ(
      Attached::make({.laws = {"adress_stable"}}).status().message(),
      "no law for a live model is called \"adress_stable\"; did you mean \"address_stable\"?; there are cold_load_equal, return_exact, "
      "address_stable, graph_replay, no_residue, memory_bound, no_leak");
  EXPECT_EQ(Attached::make({.laws = {"memory_bound"}}).status().message(), "memory_bound cannot be judged without extra_bytes");
  EXPECT_EQ(Attached::make({.laws = {"return_exact"}, .bytes = false}).status().message(), "return_exact cannot be judged without bytes");
  EXPECT_EQ(Attached::make({.rank = 2, .ranks = 2}).status().message(), "there is no rank 2 of 2");
}

}  // namespace
}  // namespace reloadlab::sim
