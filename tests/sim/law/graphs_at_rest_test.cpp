// graph_replay of models without series: the fixture's steps with a capture behind the load, and a replay behind each update.
#include <gtest/gtest.h>

#include "sim/evidence/checksum.h"
#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kGraphsAtRest = "graph_replay";
constexpr int kReplay = 3;  // behind the fixture's last update, to A

int64_t sum_of(const CensusEntry& entry) { return checksum(entry.content->bytes, static_cast<size_t>(dtype_size(entry.dtype))); }

class Replayed : public Fixture {
 public:
  Replayed() {
    each_rank_run([](Execution& execution, RankRun& run) {
      if (execution.variation.kind != Variation::Kind::warm) return;
      Census now = run.censuses.back();
      now.step = kReplay;
      run.censuses.push_back(std::move(now));
      run.outcomes.push_back({.step = kReplay});
    });
    warm().steps.push_back({.kind = StepKind::replay});
    evidence.the_case.steps = warm().steps;
    read("fc.weight", sum_of(entry(kToA, "fc.weight")));
  }

  RankRun::GraphRead& read(const std::string& path, int64_t sum) {
    return warm().ranks[0].graph_reads.emplace_back(RankRun::GraphRead{.step = kReplay, .size = 8, .path = path, .checksum = sum});
  }
};

TEST(GraphsAtRest, WhatAColdLoadHoldsPasses) {
  Replayed fixture;
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)), "pass");
  EXPECT_TRUE(is_judged(*find_law(kGraphsAtRest), fixture.evidence.the_case));
}

TEST(GraphsAtRest, OtherBytesFailAndThePlaceIsToldWhereItMoved) {
  Replayed fixture;
  fixture.read("norm.weight", 4);
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)),
            "fail: warm, rank 0, step 3, norm.weight: the graph of 8 tokens reads other bytes than a cold load of A holds");
}

TEST(GraphsAtRest, WhatWasReadBehindAnEarlierUpdateIsHeldAgainstThat) {
  Replayed fixture;
  fixture.warm().ranks[0].graph_reads.front().step = kToB;
  EXPECT_TRUE(fixture.judge(kGraphsAtRest).finding);
  fixture.warm().ranks[0].graph_reads.front().checksum = sum_of(fixture.entry(kToB, "fc.weight"));
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)), "pass");
}

TEST(GraphsAtRest, OutputsAreThoseOfAGraphOfAColdModel) {
  Replayed fixture;
  const BlobPtr right = fixture.entry(kLoadA, "norm.weight").content, wrong = fixture.entry(kToB, "norm.weight").content;
  fixture.read("norm", 0).output = right;
  for (int poison : {0, 1})
    fixture.run(Variation::Kind::cold, "A", poison).ranks[0].graph_reads = {{.step = 2, .size = 8, .path = "norm", .output = right}};
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)), "pass");
  fixture.warm().ranks[0].graph_reads.back().output = wrong;
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)),
            "fail: warm, rank 0, step 3, norm: the graph of 8 tokens computes something else with norm than one of a model that was loaded "
            "cold with A");
}

TEST(GraphsAtRest, WithoutReplaysThereIsNothingToJudge) {
  Fixture fixture;
  EXPECT_FALSE(is_judged(*find_law(kGraphsAtRest), fixture.evidence.the_case));
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)), "unsupported: the scenario replays no graph");
}

TEST(GraphsAtRest, AReplayThatReadNothingProvesNothing) {
  Replayed fixture;
  fixture.warm().ranks[0].graph_reads.clear();
  EXPECT_EQ(text(fixture.judge(kGraphsAtRest)), "inconclusive: no graph was replayed on a model at rest");
}

}  // namespace
}  // namespace reloadlab::sim
