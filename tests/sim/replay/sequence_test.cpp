#include "sim/replay/sequence.h"

#include <gtest/gtest.h>

#include "tests/sim/replay/tiny_case.h"

namespace reloadlab::sim {
namespace {

class Sequence : public testing::Test {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> result;
    for (const Sent& sent : sequence(catalogue_, plan_))
      result.push_back(sent.delivery < 0 ? sent.unknown : catalogue_.deliveries()[static_cast<size_t>(sent.delivery)].name);
    return result;
  }

  Case case_ = tiny_case({qkv_layer("a.qkv"), linear_layer("b")});
  Catalogue catalogue_{case_.model};
  LoadPlan plan_;
  using Names = std::vector<std::string>;
};

TEST_F(Sequence, ListsEveryDeliveryInModelOrder) {
  EXPECT_EQ(names(), (Names{"a.q_proj.weight", "a.k_proj.weight", "a.v_proj.weight", "b.weight"}));
}

TEST_F(Sequence, ReversedIsTheListBackwards) {
  plan_.order = OrderKind::reversed;
  EXPECT_EQ(names(), (Names{"b.weight", "a.v_proj.weight", "a.k_proj.weight", "a.q_proj.weight"}));
}

TEST_F(Sequence, InterleavedTakesOneOfEachLayerInTurn) {
  plan_.order = OrderKind::interleaved;
  EXPECT_EQ(names(), (Names{"a.q_proj.weight", "b.weight", "a.k_proj.weight", "a.v_proj.weight"}));
}

TEST_F(Sequence, ShuffledDependsOnItsSeedAlone) {
  plan_.order = OrderKind::shuffled;
  plan_.order_seed = 3;
  const Names first = names();
  EXPECT_EQ(names(), first);
  bool differs = false;
  for (plan_.order_seed = 4; plan_.order_seed < 12; ++plan_.order_seed) differs |= names() != first;
  EXPECT_TRUE(differs);
}

TEST_F(Sequence, RepeatsInPlaceThenExcessThenUnknown) {
  plan_.repeat = {{"a.q_proj.*", 2}};
  plan_.omit = {"b.*"};
  plan_.excess = {"a.k_proj.weight"};
  plan_.unknown = {"ghost"};
  EXPECT_EQ(names(), (Names{"a.q_proj.weight", "a.q_proj.weight", "a.k_proj.weight", "a.v_proj.weight", "a.k_proj.weight", "ghost"}));
}

TEST_F(Sequence, ChunksAreCutFromTheWholeSequence) {
  plan_.chunk = 3;
  const std::vector<Sent> sent = sequence(catalogue_, plan_);
  EXPECT_EQ(sent[2].chunk, 0);
  EXPECT_EQ(sent[3].chunk, 1);
}

}  // namespace
}  // namespace reloadlab::sim
