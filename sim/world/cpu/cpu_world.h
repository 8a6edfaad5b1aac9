#pragma once
// Ranks one after the other on plain CPU: nothing is concurrent, so the same seed gives the same trace byte for byte.
#include "sim/world/cpu/cpu_weight_pool.h"
#include "sim/world/world.h"

namespace reloadlab::sim {

class CpuWorld : public World {
 public:
  CpuWorld(int ranks, std::vector<int> local, int poison);
  WorldKind kind() const override { return WorldKind::cpu; }
  int ranks() const override { return static_cast<int>(accounts_.size()); }
  const std::vector<int>& local_ranks() const override { return local_; }
  c10::Device device(int) const override { return c10::Device(c10::DeviceType::CPU); }
  bool has_bytes() const override { return true; }
  void each_rank(const std::function<void(int)>& body) override;
  at::Tensor sum(const std::vector<at::Tensor>& local_partials) override;
  Result<std::unique_ptr<ForeignMemory>> foreign_memory(int rank, int64_t bytes) override;
  std::string touched() override;
  AccountPtr account(int rank) const override { return accounts_[static_cast<size_t>(rank)]; }
  WeightPool* weight_pool(int rank) override { return pools_[static_cast<size_t>(rank)].get(); }

 private:
  std::vector<int> local_;
  std::vector<AccountPtr> accounts_;                   // by rank; null where it is not run
  std::vector<std::unique_ptr<CpuWeightPool>> pools_;  // likewise
};

}  // namespace reloadlab::sim
