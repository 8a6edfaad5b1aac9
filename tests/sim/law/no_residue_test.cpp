#include <gtest/gtest.h>

#include "tests/sim/law/fixture.h"

namespace reloadlab::sim {
namespace {

constexpr std::string_view kNoResidue = "no_residue";

template <class Fn>
std::string kept_after(Fn&& change) {
  Fixture fixture;
  change(fixture.entry(kToB, "fc.weight"));
  return text(fixture.judge(kNoResidue));
}

TEST(NoResidue, PlaceholdersAndWrappersMustGo) {
  EXPECT_EQ(kept_after([](CensusEntry& entry) { entry.on_meta = true; }),
            "fail: warm, rank 0, step 1, fc.weight: is on meta: a placeholder was left");
  EXPECT_EQ(kept_after([](CensusEntry& entry) { entry.loader = "online_process_loader(wraps weight_loader)"; }),
            "fail: warm, rank 0, step 1, fc.weight: has loader online_process_loader(wraps weight_loader), had weight_loader(bound)");
}

TEST(NoResidue, AttributesPersistenceAndKindsStay) {
  EXPECT_EQ(kept_after([](CensusEntry& entry) { entry.attributes = ""; }),
            "fail: warm, rank 0, step 1, fc.weight: has attributes \"\", had \"output_dim=0\"");
  EXPECT_EQ(kept_after([](CensusEntry& entry) { entry.persistent = false; }),
            "fail: warm, rank 0, step 1, fc.weight: is no longer persistent");
  EXPECT_EQ(kept_after([](CensusEntry& entry) { entry.kind = CensusEntry::Kind::buffer; }),
            "fail: warm, rank 0, step 1, fc.weight: is registered as buffer, was parameter");
}

TEST(NoResidue, NamesAndTheirOrderStay) {
  Fixture swapped;
  std::swap(swapped.census(kToB).entries[0], swapped.census(kToB).entries[1]);
  EXPECT_EQ(text(swapped.judge(kNoResidue)),
            "fail: warm, rank 0, step 1, fc.weight: has another place in the order of names: norm.weight stands where it was");
  Fixture gone;
  gone.census(kToB).entries.pop_back();
  EXPECT_EQ(text(gone.judge(kNoResidue)), "fail: warm, rank 0, step 1, norm.weight: is a name that is gone");
  Fixture added;
  added.census(kToB).entries.push_back({.path = "norm.extra_weight", .layer = "norm"});
  EXPECT_EQ(text(added.judge(kNoResidue)), "fail: warm, rank 0, step 1, norm.extra_weight: is a name that was not there before");
}

TEST(NoResidue, WhatIsRegisteredNowhereHasNoPlaceInTheOrder) {
  Fixture fixture;
  using Kind = CensusEntry::Kind;
  for (Kind kind : {Kind::extra_tensor, Kind::extra_host})
    fixture.census(kToB).entries.insert(fixture.census(kToB).entries.begin(), {.path = "norm.extra:scratch", .kind = kind});
  EXPECT_EQ(text(fixture.judge(kNoResidue)), "pass");
}

TEST(NoResidue, TheModelsFlagsComeBack) {
  Fixture fixture;
  fixture.census(kToB).flags = "_do_torchao_reload=1";
  EXPECT_EQ(text(fixture.judge(kNoResidue)),
            "fail: warm, rank 0, step 1, : the model's flags are \"_do_torchao_reload=1\", were \"_do_torchao_reload=0\"");
}

TEST(NoResidue, WhatTheFirstForwardRegistersIsNoResidue) {
  Fixture fixture;
  fixture.warm().steps[kToB].kind = StepKind::forward;
  for (int step : {kToB, kToA}) fixture.census(step).entries.push_back({.path = "norm.late", .layer = "norm"});
  EXPECT_EQ(text(fixture.judge(kNoResidue)), "pass");
  fixture.census(kToA).entries.pop_back();
  EXPECT_EQ(text(fixture.judge(kNoResidue)), "fail: warm, rank 0, step 2, norm.late: is a name that is gone");
}

TEST(NoResidue, OneStateIsNoComparison) {
  Fixture fixture;
  fixture.warm().ranks[0].censuses.resize(1);
  EXPECT_EQ(text(fixture.judge(kNoResidue)), "inconclusive: no update leaves the model at rest");
  fixture.warm().steps.resize(1);
  EXPECT_EQ(text(fixture.judge(kNoResidue)), "unsupported: the scenario updates nothing");
}

TEST(NoResidue, WhatWasDeliveredIsOnlyRead) {
  Fixture fixture;
  fixture.insert_after(event_at(kToB, EventKind::load_begin, 0), {EventKind::write_source, kToB, 0, -1, 4, 0, "fc.q aten::zero_"});
  EXPECT_EQ(text(fixture.judge("no_residue")),
            "fail: warm, rank 0, step 1, : a delivered tensor was written, and not only read: fc.q aten::zero_");
}

}  // namespace
}  // namespace reloadlab::sim
