// The same case on plain CPU and on modelled devices: what a rank sees of its model is the same to the byte, and where it is not ordered
// by streams it is not.
#include <c10/core/StreamGuard.h>
#include <gtest/gtest.h>

#include "sim/replay/replay.h"
#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

class InPlace : public Reloader {
 public:
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model&) override { return {}; }
  Status finish(model::Model&, const FinishConfig&) override { return {}; }
};

// Doubles the weight at the end of an update, by a stream of its own that nothing waits for.
class Unordered final : public InPlace {
 public:
  Status finish(model::Model& model, const FinishConfig&) override {
    at::Tensor weight = model.find_tensor("up.weight")->tensor;
    if (weight.is_cpu()) return weight.mul_(2), Status();
    const c10::impl::VirtualGuardImpl device(weight.device().type());
    const c10::StreamGuard side(device.getStreamFromGlobalPool(weight.device()));
    weight.mul_(2);
    return {};
  }
};

template <class Candidate>
Evidence played(Case the_case, WorldKind world) {
  the_case.world = world;
  const CandidateInfo info{
      .name = "plain", .system = "layerwise", .make_reloader = [](const CandidateContext&) -> Result<std::unique_ptr<Reloader>> {
        return std::unique_ptr<Reloader>(std::make_unique<Candidate>());
      }};
  Result<Evidence> evidence = replay(the_case, info, {.prove_determinism = true});
  EXPECT_TRUE(evidence.ok()) << evidence.status().message();
  return std::move(*evidence);
}

struct Compared {
  int entries = 0, unequal = 0;
};

Compared compare(const Evidence& one, const Evidence& other) {
  Compared compared;
  EXPECT_EQ(one.executions.size(), other.executions.size());
  for (size_t e = 0; e < one.executions.size(); ++e)
    for (size_t r = 0; r < one.executions[e].ranks.size(); ++r)
      for (size_t c = 0; c < one.executions[e].ranks[r].censuses.size(); ++c)
        for (size_t i = 0; i < one.executions[e].ranks[r].censuses[c].entries.size(); ++i) {
          const CensusEntry& here = one.executions[e].ranks[r].censuses[c].entries[i];
          const CensusEntry& there = other.executions[e].ranks[r].censuses[c].entries[i];
          EXPECT_EQ(here.path, there.path);
          if (!here.content) continue;
          ++compared.entries;
          if (here.content->bytes != there.content->bytes) ++compared.unequal;
        }
  return compared;
}

TEST(Devices, ShowTheBytesThatACpuShows) {
  Case the_case = tiny_case({qkv_layer(), linear_layer("up", "tile_permute"), linear_layer("down", "fp8_block")}, 2);
  the_case.steps.push_back({.kind = StepKind::forward});
  const Evidence cpu = played<InPlace>(the_case, WorldKind::cpu), devices = played<InPlace>(the_case, WorldKind::sim);
  const Compared compared = compare(cpu, devices);
  EXPECT_GT(compared.entries, 100);
  EXPECT_EQ(compared.unequal, 0);
  for (size_t e = 0; e < cpu.executions.size(); ++e)
    for (size_t step = 0; step < cpu.executions[e].ranks[1].outcomes.size(); ++step)
      EXPECT_EQ(devices.executions[e].ranks[1].outcomes[step].status.message(), cpu.executions[e].ranks[1].outcomes[step].status.message());
}

TEST(Devices, GiveTheSameEventsAndBytesInEveryRun) {
  const Evidence evidence = played<InPlace>(tiny_case({qkv_layer(), linear_layer("up")}, 2), WorldKind::sim);
  const Execution &warm = *evidence.find(Variation::Kind::warm), &again = *evidence.find(Variation::Kind::again);
  for (size_t rank = 0; rank < 2; ++rank) {
    ASSERT_EQ(warm.ranks[rank].events.size(), again.ranks[rank].events.size());
    for (size_t i = 0; i < warm.ranks[rank].events.size(); ++i)
      EXPECT_EQ(warm.ranks[rank].events[i].text, again.ranks[rank].events[i].text);
    const auto bytes = [&](const Execution& execution) { return execution.ranks[rank].censuses.back().find("up.weight")->content->bytes; };
    EXPECT_EQ(bytes(warm), bytes(again));
  }
}

TEST(Devices, ShowWhatIsReadBeforeAStreamHasWrittenIt) {
  const Case the_case = tiny_case({linear_layer("up")});
  const Compared ordered = compare(played<InPlace>(the_case, WorldKind::cpu), played<InPlace>(the_case, WorldKind::sim));
  EXPECT_EQ(ordered.unequal, 0);
  EXPECT_GT(compare(played<Unordered>(the_case, WorldKind::cpu), played<Unordered>(the_case, WorldKind::sim)).unequal, 0);
}

}  // namespace
}  // namespace reloadlab::sim
