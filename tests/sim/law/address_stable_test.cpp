#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kAddressStable = "address_stable";

template <class Fn>
std::string after(Fn&& change) {
  Fixture fixture;
  change(fixture, fixture.entry(kToB, "fc.weight"));
  return text(fixture.judge(kAddressStable));
}

TEST(AddressStable, ANewStorageIsAMove) {
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) { entry.storage = 9; }),
            "fail: warm, rank 0, step 1, fc.weight: is storage 9 at offset 0, was storage 0 at offset 0");
}

TEST(AddressStable, OffsetsStridesTypesAndClassesStay) {
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) { entry.offset = 2; }),
            "fail: warm, rank 0, step 1, fc.weight: is storage 0 at offset 2, was storage 0 at offset 0");
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) {
              entry.strides = {1, 4};
            }),
            "fail: warm, rank 0, step 1, fc.weight: has strides [1, 4], had [2, 1]");
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) { entry.dtype = DType::f16; }),
            "fail: warm, rank 0, step 1, fc.weight: is f16 [4, 2], was bf16 [4, 2]");
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) { entry.tensor_class = "Tensor"; }),
            "fail: warm, rank 0, step 1, fc.weight: is a Tensor, was a Parameter");
}

TEST(AddressStable, ANameThatIsGoneLeavesADanglingAddress) {
  EXPECT_EQ(after([](Fixture& fixture, CensusEntry&) { fixture.census(kToB).entries.pop_back(); }),
            "fail: warm, rank 0, step 1, norm.weight: is gone: whoever holds its address reads freed memory");
}

TEST(AddressStable, TiedParametersStayTiedAndOthersApart) {
  Fixture tied;
  tied.census(kLoadA).entries[1].handle = 0;
  EXPECT_EQ(text(tied.judge(kAddressStable)), "fail: warm, rank 0, step 1, norm.weight: no longer is the same parameter as fc.weight");
  EXPECT_EQ(after([](Fixture& fixture, CensusEntry&) { fixture.entry(kToB, "norm.weight").handle = 0; }),
            "fail: warm, rank 0, step 1, norm.weight: is now the same parameter as fc.weight");
}

TEST(AddressStable, NamesThatShareAHandleMayStandInAnotherOrder) {
  Fixture fixture;
  for (int step : {kLoadA, kToB, kToA}) fixture.census(step).entries[1].handle = 0;
  for (int step : {kToB, kToA}) std::swap(fixture.census(step).entries[0], fixture.census(step).entries[1]);
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "pass");
}

TEST(AddressStable, HandlesMayBeNewObjectsAsLongAsTheyShareAsBefore) {
  EXPECT_EQ(after([](Fixture&, CensusEntry& entry) { entry.handle = 40; }), "pass");
}

TEST(AddressStable, NamesThatComeLaterDoNotShiftTheOthers) {
  Fixture fixture;
  for (int step : {kLoadA, kToB, kToA}) fixture.census(step).entries[1].handle = 0;
  for (int step : {kToB, kToA}) {
    CensusEntry late = fixture.entry(step, "norm.weight");
    late.path = "fc.late", late.handle = late.storage = 5;
    fixture.census(step).entries.insert(fixture.census(step).entries.begin(), late);
  }
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "pass");
}

TEST(AddressStable, HostCopiesHaveNoAddress) {
  Fixture fixture;
  for (int step : {kLoadA, kToB})
    fixture.census(step).entries.push_back({.path = "norm.extra:scale", .kind = CensusEntry::Kind::extra_host});
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "pass");
}

TEST(AddressStable, ScratchThatIsRegisteredNowhereCounts) {
  Fixture fixture;
  for (int step : {kLoadA, kToB, kToA}) {
    CensusEntry scratch = fixture.entry(step, "norm.weight");
    scratch.path = "norm.extra:scratch", scratch.kind = CensusEntry::Kind::extra_tensor, scratch.storage = step == kToA ? 8 : 7;
    fixture.census(step).entries.push_back(scratch);
  }
  EXPECT_EQ(text(fixture.judge(kAddressStable)),
            "fail: warm, rank 0, step 2, norm.extra:scratch: is storage 8 at offset 0, was storage 7 at offset 0");
}

TEST(AddressStable, AModelThatIsCalledUnusableIsNotCompared) {
  Fixture fixture;
  fixture.outcome(kToB).unusable = fixture.outcome(kToA).unusable = true;
  const std::string nothing = "unsupported: the candidate calls the model unusable after every update";
  for (const char* law : {"address_stable", "no_residue", "return_exact"}) {
    const std::string verdict = text(fixture.judge(law));
    EXPECT_EQ(verdict, nothing) << law;
  }
  fixture.outcome(kToA).unusable = false;
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "pass");
}

TEST(AddressStable, OneStateIsNoComparison) {
  Fixture fixture;
  fixture.warm().ranks[0].censuses.resize(1);
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "inconclusive: no update leaves the model at rest");
  fixture.warm().steps.resize(1);
  EXPECT_EQ(text(fixture.judge(kAddressStable)), "unsupported: the scenario updates nothing");
}

}  // namespace
}  // namespace reloadlab::sim
