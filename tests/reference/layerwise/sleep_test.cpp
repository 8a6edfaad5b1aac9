// Memory that is unmapped for a while: what is refused meanwhile, and what the host keeps.
#include "tests/reference/layerwise/rig.h"

namespace reloadlab::layerwise {
namespace {

// Six of eight rows come from a checkpoint.
ModelSpec padded() {
  return model_of({layer_of("vocab_parallel_embedding", {{"vocab", int64_t{6}}, {"hidden", int64_t{4}}, {"pad_to", int64_t{8}}}, "embed"),
                   linear("up")});
}

// What a sleep that loses contents leaves.
void lose(const Rig& rig) {
  for (const model::LayerPtr& layer : rig.model->layers())
    model::for_each_tensor(*layer, [](const model::Slot& slot, bool) { slot.handle->tensor.fill_(-7); });
}

TEST(Sleep, UpdatesAreRefusedUntilWake) {
  Rig rig(two_linears());
  rig.start();
  const Picture before = rig.now();
  EXPECT_OK(rig.engine->sleep(*rig.model, true));
  EXPECT_CODE(Code::misuse, rig.prepare());
  EXPECT_CODE(Code::misuse, rig.engine->sleep(*rig.model, true));
  EXPECT_TRUE(same_in_place(before, rig.now()));
  EXPECT_OK(rig.engine->wake(*rig.model));
  EXPECT_FALSE(rig.engine->unusable());
  EXPECT_OK(rig.reload(2));
  EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2)));
}

TEST(Sleep, AnOpenUpdateComesFirst) {
  Rig rig(two_linears());
  rig.start();
  EXPECT_OK(rig.prepare());
  EXPECT_CODE(Code::misuse, rig.engine->sleep(*rig.model, true));
  EXPECT_OK(rig.send_all(2));
  EXPECT_OK(rig.finish());
  EXPECT_OK(rig.engine->sleep(*rig.model, true));
}

TEST(Sleep, WhatNoCheckpointBringsIsKeptAndTheRestHasToCome) {
  for (const char* landing : {"hardened", "hardened,landing=materialized", "hardened,landing=direct"}) {
    Rig rig(padded(), landing);
    rig.start();
    EXPECT_OK(rig.engine->sleep(*rig.model, false));
    lose(rig);
    EXPECT_OK(rig.engine->wake(*rig.model));
    EXPECT_TRUE(rig.engine->unusable());
    EXPECT_OK(rig.reload(2));
    EXPECT_FALSE(rig.engine->unusable());
    EXPECT_TRUE(same_content(rig.now(), cold(rig.spec, 2))) << landing;
  }
}

TEST(Sleep, WhatIsKeptDiesWithTheModel) {
  Rig rig(padded());
  rig.start();
  const auto before = std::make_shared<int>();
  rig.model->on_unexpected_name = [before](std::string_view) { return Status(Code::rejected, "as before"); };
  EXPECT_OK(rig.engine->sleep(*rig.model, false));
  EXPECT_CODE(Code::rejected, rig.model->on_unexpected_name("no such name"));
  rig.model.reset();
  EXPECT_EQ(before.use_count(), 1) << "what keeps it keeps the bytes as well";
}

TEST(Sleep, WhatDidNotComeWholeStaysUnusable) {
  Rig rig(two_linears());
  rig.start();
  EXPECT_OK(rig.engine->sleep(*rig.model, false));
  lose(rig);
  EXPECT_OK(rig.engine->wake(*rig.model));
  (void)rig.reload(2, {rig.deliveries.front().name});
  EXPECT_TRUE(rig.engine->unusable());
}

TEST(Sleep, TheSeedHearsOfNone) {
  Rig rig(padded(), "seed");
  rig.start();
  EXPECT_OK(rig.engine->sleep(*rig.model, false));
  EXPECT_OK(rig.prepare());
}

}  // namespace
}  // namespace reloadlab::layerwise
