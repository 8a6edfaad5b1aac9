// Memory that sleeps: what comes back, what is lost, and who is found out.
#include <gtest/gtest.h>

#include <algorithm>

#include "reference/model/kind.h"
#include "sim/law/law.h"
#include "sim/law/reading.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

enum class Does { nothing, reads_in_prepare, moves_at_wake, refuses_asleep };

// Loads straight into the live tensors, asleep or not.
class SleepingPlain final : public Reloader {
 public:
  explicit SleepingPlain(Does does) : does_(does) {}
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model& model) override {
    if (asleep_ && does_ == Does::refuses_asleep) return {Code::misuse, "asleep"};
    if (asleep_ && does_ == Does::reads_in_prepare) (void)weight(model).clone();
    return {};
  }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }
  Status sleep(model::Model&, bool) override {
    asleep_ = true;
    return {};
  }
  Status wake(model::Model& model) override {
    asleep_ = false;
    if (does_ == Does::moves_at_wake) weight(model) = weight(model).clone();
    return {};
  }

 private:
  static at::Tensor& weight(model::Model& model) { return model.find_tensor("attn.qkv.weight")->tensor; }
  Does does_;
  bool asleep_ = false;
};

CandidateInfo sleeping_candidate(Does does) {
  return {.name = "plain", .system = "layerwise", .make_reloader = [does](const CandidateContext&) -> Result<std::unique_ptr<Reloader>> {
            return std::unique_ptr<Reloader>(std::make_unique<SleepingPlain>(does));
          }};
}

Step asleep(int level) { return {.kind = StepKind::sleep, .level = level}; }
Step awake() { return {.kind = StepKind::wake}; }
Step refused(Step step) {
  step.outcome = Step::Outcome::error;
  return step;
}

Case sleeping(WorldKind world, std::vector<Step> steps) {
  model::LayerSpec rotary{.name = "rotary", .kind = "rotary_embedding"};
  rotary.values = {{"rotary_dim", int64_t{4}}, {"max_position", int64_t{8}}};
  model::fill_defaults(rotary);
  Case the_case = tiny_case({qkv_layer(), rotary});
  the_case.world = world;
  the_case.laws = {"cold_load_equal", "return_exact", "address_stable", "failure_atomic"};
  the_case.steps = std::move(steps);
  return the_case;
}

// But for what becomes of faults, which this candidate does not undo.
void expect_kept(const Evidence& evidence) {
  for (const Verdict& verdict : judge(evidence))
    if (verdict.law != "failure_atomic") {
      EXPECT_EQ(verdict.outcome, Outcome::pass) << verdict.law << ": " << verdict.reason;
    }
}

Evidence sleeping_played(const Case& the_case, Does does) {
  Result<Evidence> evidence = replay(the_case, sleeping_candidate(does), {});
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return std::move(*evidence);
}

Verdict of_law(const Evidence& evidence, std::string_view law) {
  const std::vector<Verdict> verdicts = judge(evidence);
  return *std::ranges::find(verdicts, law, &Verdict::law);
}

struct OfBoth : ::testing::TestWithParam<WorldKind> {};
INSTANTIATE_TEST_SUITE_P(Sleep, OfBoth, ::testing::Values(WorldKind::cpu, WorldKind::sim));

TEST_P(OfBoth, Level1BringsEverythingBackToItsPlace) {
  const Evidence evidence =
      sleeping_played(sleeping(GetParam(), {load_step("A"), asleep(1), awake(), reload_step("B"), asleep(1), awake()}), Does::nothing);
  expect_kept(evidence);
}

TEST_P(OfBoth, Level2LosesAllButBuffersUntilAReload) {
  const Evidence evidence = sleeping_played(sleeping(GetParam(), {load_step("A"), asleep(2), awake(), reload_step("B")}), Does::nothing);
  expect_kept(evidence);
  const RankRun& run = evidence.find(Variation::Kind::warm)->ranks.front();
  const Census &before = *census_after(run, 0), &behind = *census_after(run, 2);
  EXPECT_TRUE(std::ranges::all_of(behind.find("attn.qkv.weight")->content->bytes, [](std::byte b) { return b == std::byte{0xFF}; }));
  EXPECT_EQ(behind.find("rotary.cos_sin_cache")->content->bytes, before.find("rotary.cos_sin_cache")->content->bytes);
}

TEST_P(OfBoth, NobodyLooksWhileItSleeps) {
  const Evidence evidence = sleeping_played(sleeping(GetParam(), {load_step("A"), asleep(1), awake()}), Does::nothing);
  const RankRun& run = evidence.find(Variation::Kind::warm)->ranks.front();
  EXPECT_EQ(census_after(run, 1)->find("attn.qkv.weight")->content, nullptr);
  EXPECT_EQ(outcome_of(run, 1)->touched_asleep, "");
}

TEST_P(OfBoth, AnUpdateMeanwhileIsFoundByItsWrites) {
  const Case the_case = sleeping(GetParam(), {load_step("A"), asleep(1), refused(reload_step("B")), awake()});
  const Verdict verdict = of_law(sleeping_played(the_case, Does::nothing), "failure_atomic");
  ASSERT_EQ(verdict.outcome, Outcome::fail);
  EXPECT_EQ(verdict.finding->step, 2);
  EXPECT_EQ(verdict.finding->what, GetParam() == WorldKind::cpu
                                       ? "touched memory that sleeps: attn.qkv.weight was written, at byte 0 of its storage"
                                       : "touched memory that sleeps: aten::copy_ on stream 0 of sim:0 writes attn.qkv.weight");
  EXPECT_EQ(of_law(sleeping_played(the_case, Does::refuses_asleep), "failure_atomic").outcome, Outcome::pass);
}

TEST_P(OfBoth, WhatMovesAtWakeIsFound) {
  const Verdict verdict = of_law(
      sleeping_played(sleeping(GetParam(), {load_step("A"), asleep(1), awake(), reload_step("B")}), Does::moves_at_wake), "address_stable");
  ASSERT_EQ(verdict.outcome, Outcome::fail);
  EXPECT_EQ(verdict.finding->step, 2);
}

TEST(Sleep, ModelledDevicesSeeReadsToo) {
  const Case the_case = sleeping(WorldKind::sim, {load_step("A"), asleep(1), refused({.kind = StepKind::prepare}), awake()});
  const Evidence evidence = sleeping_played(the_case, Does::reads_in_prepare);
  EXPECT_EQ(outcome_of(evidence.find(Variation::Kind::warm)->ranks.front(), 2)->touched_asleep,
            "aten::copy_ on stream 0 of sim:0 reads attn.qkv.weight");
}

TEST(Sleep, NeedsMemory) {
  EXPECT_EQ(lacks(sleeping(WorldKind::cpu, {load_step("A"), asleep(1), awake()}), Gpus()), "");
  EXPECT_EQ(lacks(sleeping(WorldKind::meta, {load_step("A"), asleep(1), awake()}), Gpus()),
            "needs memory that can be unmapped, and it has none");
}

}  // namespace
}  // namespace reloadlab::sim
