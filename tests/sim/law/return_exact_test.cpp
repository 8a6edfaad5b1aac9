#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kReturnExact = "return_exact";

TEST(ReturnExact, ComingBackMustRestoreEveryByte) {
  Fixture fixture;
  fixture.set(fixture.entry(kToA, "fc.weight"), 0, 1.5);
  EXPECT_EQ(text(fixture.judge(kReturnExact)),
            "fail: warm, rank 0, step 2, fc.weight: bf16 [4, 2]: 1 of 8 elements differ: row 0 | "
            "[0, 0] is 1.5, should be 1 as after step 0, which also holds A, from A: fc.q [0, 0]");
}

TEST(ReturnExact, ZerosOfTwoSignsAreDifferentBytes) {
  Fixture fixture;
  fixture.set_bits(fixture.entry(kLoadA, "fc.weight"), 0, 0x0000);
  fixture.set_bits(fixture.entry(kToA, "fc.weight"), 0, 0x8000);
  EXPECT_EQ(fixture.judge(kReturnExact).finding->first,
            "[0, 0] is -0, should be 0 as after step 0, which also holds A, from A: fc.q [0, 0]");
}

TEST(ReturnExact, ATensorThatWasSentMustChange) {
  Fixture fixture;
  fixture.entry(kToB, "norm.weight").content = fixture.entry(kLoadA, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kReturnExact)), "fail: warm, rank 0, step 1, norm.weight: bf16 [2]: not one byte changed from A to B");
}

TEST(ReturnExact, ATensorThatIsEqualInBothCheckpointsMayStay) {
  Fixture fixture;
  for (int poison : {0, 1})
    fixture.entry(fixture.run(Variation::Kind::cold, "B", poison), 0, "norm.weight").content = fixture.entry(kLoadA, "norm.weight").content;
  fixture.entry(kToB, "norm.weight").content = fixture.entry(kLoadA, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kReturnExact)), "pass");
}

TEST(ReturnExact, AForwardGivesWhatItGaveBefore) {
  Fixture fixture;
  fixture.outcome(kLoadA).output = fixture.outcome(kToA).output = fixture.entry(kLoadA, "norm.weight").content;
  fixture.outcome(kToB).output = fixture.entry(kToB, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kReturnExact)), "pass");
  fixture.outcome(kToA).output = fixture.entry(kToB, "norm.weight").content;
  EXPECT_EQ(text(fixture.judge(kReturnExact)),
            "fail: warm, rank 0, step 2, : the forward gives another output than at step 0, which also holds A");
}

TEST(ReturnExact, AScenarioWithOneStateHasNothingToReturnTo) {
  Fixture fixture;
  fixture.plan().states.resize(1);
  EXPECT_EQ(text(fixture.judge(kReturnExact)), "unsupported: the scenario holds a whole checkpoint only once");
}

TEST(ReturnExact, StatesThatWereNeverReachedProveNothing) {
  Fixture fixture;
  fixture.warm().ranks[0].censuses.resize(1);
  EXPECT_EQ(text(fixture.judge(kReturnExact)), "inconclusive: no two steps leave the model at rest with checkpoints to compare");
}

}  // namespace
}  // namespace reloadlab::sim
