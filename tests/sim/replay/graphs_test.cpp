// Graphs of forwards on modelled devices: what they read, and that they notice what moves.
#include "sim/replay/graphs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/law/law.h"
#include "sim/replay/lacks.h"
#include "sim/replay/replay.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

// Loads straight into the live tensors; or puts each parameter somewhere else when an update begins.
class Plain final : public Reloader {
 public:
  explicit Plain(bool moves) : moves_(moves) {}
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model& model) override {
    for (const model::LayerPtr& layer : model.layers())
      model::for_each_tensor(*layer, [&](const model::Slot& slot, bool) {
        if (moves_) slot.handle->tensor = slot.handle->tensor.clone();
      });
    return {};
  }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }

 private:
  bool moves_;
};

CandidateInfo candidate(bool moves) {
  return {.name = "plain", .system = "layerwise", .make_reloader = [moves](const CandidateContext&) -> Result<std::unique_ptr<Reloader>> {
            return std::unique_ptr<Reloader>(std::make_unique<Plain>(moves));
          }};
}

Case replaying(Graphs graphs) {
  Case the_case = tiny_case({qkv_layer(), linear_layer("up")}, 2);
  the_case.world = WorldKind::sim;
  the_case.laws = {"graph_replay"};
  Step capture{.kind = StepKind::capture}, replay{.kind = StepKind::replay};
  capture.graphs = std::move(graphs);
  std::vector<int64_t> backwards = capture.graphs.sizes;
  std::ranges::reverse(backwards);
  replay.graphs.sizes = backwards;
  the_case.steps = {load_step("A"), capture, reload_step("B"), replay, reload_step("A"), {.kind = StepKind::replay}};
  return the_case;
}

Verdict verdict_of(const Case& the_case, bool moves) {
  const Result<Evidence> evidence = replay(the_case, candidate(moves), {});
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return evidence.ok() ? judge(*evidence).front() : Verdict();
}

TEST(Graphs, ReadWhatEachReloadBrings) {
  for (const bool shared : {false, true}) {
    const Verdict verdict = verdict_of(replaying({.sizes = {1, 8, 3}, .shared_pool = shared}), false);
    EXPECT_EQ(verdict.outcome, Outcome::pass) << verdict.reason;
    EXPECT_EQ(verdict.checks, 2 * 2 * 3 * 4);  // ranks, replays, sizes; two weights and two outputs
  }
}

TEST(Graphs, ReadWhereTensorsWereCaptured) {
  const Verdict verdict = verdict_of(replaying({.sizes = {1}}), true);
  ASSERT_EQ(verdict.outcome, Outcome::fail) << verdict.reason;
  EXPECT_EQ(verdict.finding->step, 3);
  EXPECT_EQ(verdict.finding->what, "the graph of 1 tokens reads other bytes than a cold load of B holds");
  EXPECT_TRUE(verdict.finding->why.starts_with("it has moved since the capture: is storage ")) << verdict.finding->why;
}

TEST(Graphs, NeedAWorldThatHasThem) {
  Case the_case = replaying({.sizes = {1}});
  EXPECT_EQ(lacks(the_case, Gpus()), "");
  the_case.world = WorldKind::cpu;
  EXPECT_EQ(lacks(the_case, Gpus()), "needs graphs, which the worlds sim and cuda have");
}

TEST(Graphs, AreReplayedInAnyOrder) {
  const Result<Evidence> evidence = replay(replaying({.sizes = {2, 5}}), candidate(false), {});
  ASSERT_TRUE(evidence.ok()) << evidence.status().message();
  std::vector<int64_t> sizes;
  for (const RankRun::GraphRead& read : evidence->find(Variation::Kind::warm)->ranks[0].graph_reads)
    if (sizes.empty() || sizes.back() != read.size) sizes.push_back(read.size);
  EXPECT_EQ(sizes, (std::vector<int64_t>{5, 2, 5}));  // backwards, then as they were captured
}

}  // namespace
}  // namespace reloadlab::sim
