#pragma once
// Ranks that do not talk, one after the other on one GPU of this process. What hosts hold is nobody's, and poisoned all the same.
#include "sim/world/cpu/cpu_world.h"

namespace reloadlab::sim::cuda {

class CudaWorld final : public CpuWorld {
 public:
  // Throws c10::Error where there is no GPU that can be used.
  explicit CudaWorld(const WorldRequest& request);
  WorldKind kind() const override { return WorldKind::cuda; }
  c10::Device device(int) const override { return {c10::DeviceType::CUDA, 0}; }
  void each_rank(const std::function<void(int)>& body) override;
};

}  // namespace reloadlab::sim::cuda
