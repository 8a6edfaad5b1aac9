#include "sim/world/modelled/modelled_world.h"

#include <ATen/ops/empty.h>

#include "tests/sim/world/modelled/fixture.h"

namespace reloadlab::sim::modelled {
namespace {

TEST(ModelledWorldMemory, WhatAHostHoldsIsPoisonedAndNotItsDevices) {
  ModelledWorld world({.kind = WorldKind::sim, .ranks = 1, .local = {0}, .devices = true}, round_robin());
  world.each_rank([&](int) {
    const at::Tensor kept_on_the_host = at::empty({5}), of_the_device = at::empty({3}, on(0));
    EXPECT_TRUE(std::isnan(kept_on_the_host[0].item<float>()));
    EXPECT_EQ(world.account(0)->live_bytes(), 12);
    EXPECT_EQ(world.account(0)->live_allocations(), 1);
  });
}

}  // namespace
}  // namespace reloadlab::sim::modelled
