#include "sim/fuzz/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace reloadlab::sim::fuzz {
namespace {

const Cause kOne{"law_a", "warm", "reload", "parameter"}, kOther{"law_b", "order", "retry", ""};

Summary sample() {
  Summary one{.system = "layerwise",
              .cases = 10,
              .judged = 8,
              .failing = 2,
              .skipped = 1,
              .hanging = 1,
              .inconclusive = 1,
              .why_skipped = "needs 2 GPUs",
              .seconds = 2,
              .shapes = {1, ~0ULL},
              .probes = {"fault_strikes"}};
  one.causes[kOne] = {2, "longer"};
  return one;
}

TEST(Summary, IsReadAsItWasWritten) {
  const Summary one = sample();
  const Result<Summary> read = summary_from(to_json(one).dump());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(to_json(*read), to_json(one));
  EXPECT_EQ(read->shapes, one.shapes);
  EXPECT_EQ(read->causes, one.causes);
}

TEST(Summary, OfPartsCountsCasesTogetherAndNewsOnce) {
  Summary all = sample(), other = sample();
  other.causes[kOne].token = "short", other.causes[kOther] = {1, "x"};
  other.shapes = {1, 2}, other.seconds = 3, other.defect = "it slipped";
  all.add(other);
  EXPECT_EQ(all.cases, 20);
  EXPECT_EQ(all.hanging, 2);
  EXPECT_EQ(all.shapes, (std::set<uint64_t>{1, 2, ~0ULL}));
  EXPECT_EQ(all.causes.at(kOne), (Summary::Seen{4, "short"}));
  EXPECT_EQ(all.causes.at(kOther), (Summary::Seen{1, "x"}));
  EXPECT_EQ(all.seconds, 3);
  EXPECT_EQ(all.defect, "it slipped");
}

TEST(Summary, OfAnythingElseIsNone) {
  for (const char* text : {"", "[]", "{}", "{\"fuzz\": 2}", "{\"fuzz\": 1}"})
    EXPECT_EQ(summary_from(text).status().code(), Code::data) << text;
  Summary odd = sample();
  odd.system = "layer";
  EXPECT_EQ(summary_from(to_json(odd).dump()).status().code(), Code::data);
  odd = sample();
  odd.judged = -1;
  EXPECT_EQ(summary_from(to_json(odd).dump()).status().code(), Code::data);
}

TEST(Summary, TellsEachCauseAndAllOfIt) {
  EXPECT_EQ(summary_text(sample()),
            "       2  law_a, warm, reload, parameter\n1 case not played: needs 2 GPUs\n"
            "1 inconclusive verdict: a law had nothing to check there\n"
            "10 cases, 5/s, 2 shapes, 2 failing, 1 cause, 1 of 6 probes\n");
}

TEST(Summary, MissesTheProbesOfItsSystemThatNoCaseMet) {
  Summary one = sample();
  one.probes = {"excess_after_completion", "alias_without_loads", "incomplete_update", "fault_strikes", "update_abandoned"};
  EXPECT_EQ(probes_missed(one), std::vector<std::string_view>{"unknown_name"});
  one.system = "shared_series";
  EXPECT_EQ(probes_missed(one), (std::vector<std::string_view>{"wrap_around", "owner_reads", "two_streams_read"}));
}

}  // namespace
}  // namespace reloadlab::sim::fuzz
