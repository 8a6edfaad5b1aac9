#pragma once
// Ranks that do not talk, one after the other on one GPU of this process.
#include "sim/world/world.h"

namespace reloadlab::sim::cuda {

class CudaWorld final : public World {
 public:
  // Throws c10::Error where there is no GPU that can be used.
  explicit CudaWorld(const WorldRequest& request);
  WorldKind kind() const override { return WorldKind::cuda; }
  int ranks() const override { return static_cast<int>(accounts_.size()); }
  const std::vector<int>& local_ranks() const override { return local_; }
  c10::Device device(int) const override { return {c10::DeviceType::CUDA, 0}; }
  bool has_bytes() const override { return true; }
  void each_rank(const std::function<void(int)>& body) override;
  at::Tensor sum(const std::vector<at::Tensor>& local_partials) override;
  AccountPtr account(int rank) const override { return accounts_[static_cast<size_t>(rank)]; }

 private:
  std::vector<int> local_;
  std::vector<AccountPtr> accounts_;  // by rank; null where it is not run
};

}  // namespace reloadlab::sim::cuda
