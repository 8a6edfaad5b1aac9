#pragma once
// Shapes and counts only: models of any size in seconds. Laws about bytes are unsupported here and say so.
#include "sim/world/cpu/cpu_world.h"

namespace reloadlab::sim {

class MetaWorld final : public CpuWorld {
 public:
  MetaWorld(int ranks, std::vector<int> local) : CpuWorld(ranks, std::move(local), 0) {}
  WorldKind kind() const override { return WorldKind::meta; }
  c10::Device device(int) const override { return c10::Device(c10::DeviceType::Meta); }
  bool has_bytes() const override { return false; }
};

}  // namespace reloadlab::sim
