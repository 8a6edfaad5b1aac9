#pragma once
// Ranks that do not talk, one after the other on one GPU of this process; or the one rank that this process is, on the GPU of its number.
// What hosts hold is nobody's, and poisoned all the same.
#include <map>
#include <optional>

#include "sim/world/cpu/cpu_world.h"
#include "sim/world/cuda/cuda_devices.h"
#include "sim/world/cuda/cuda_weight_pool.h"
#include "sim/world/cuda/seen_ranks.h"

namespace reloadlab::sim::cuda {

class CudaWorld final : public CpuWorld {
 public:
  // Throws c10::Error where there is no GPU that can be used.
  explicit CudaWorld(const WorldRequest& request);
  WorldKind kind() const override { return WorldKind::cuda; }
  c10::Device device(int) const override { return device_; }
  Result<std::unique_ptr<ForeignMemory>> foreign_memory(int, int64_t bytes) override;
  std::string touched() override { return {}; }  // it is a death
  std::string broken() const override;
  void each_rank(const std::function<void(int)>& body) override;
  std::unique_ptr<DeviceGraph> make_graph(const GraphOptions& options) override;
  WeightPool* weight_pool(int rank) override;
  Devices* devices() override { return devices_ ? &*devices_ : nullptr; }
  SeenOrder* seen_order() override;

 private:
  c10::Device device_;
  std::optional<CudaDevices> devices_;
  std::optional<SeenRanks> seen_;
  std::map<int, CudaWeightPool> pools_;  // by rank, of those that asked for one
};

}  // namespace reloadlab::sim::cuda
