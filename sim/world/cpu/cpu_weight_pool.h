#pragma once
// Sleep on plain CPU: pages stay, and what they hold is poison until they wake. What is written meanwhile is found by looking; what is
// read is not.
#include <map>

#include "sim/world/account.h"
#include "sim/world/weight_pool.h"

namespace reloadlab::sim {

class CpuWeightPool final : public WeightPool {
 public:
  explicit CpuWeightPool(AccountPtr account) : account_(std::move(account)), blocks_(std::make_shared<PooledBlocks>()) {}

  // On the calling thread.
  void open(bool open) override { pool_allocations(open ? blocks_ : nullptr); }
  void sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>> names) override;
  void wake() override;
  std::string touched() override;

 private:
  AccountPtr account_;
  std::shared_ptr<PooledBlocks> blocks_;
  std::map<int64_t, std::vector<std::byte>> kept_;  // by serial number
  std::map<int64_t, std::string> names_;            // while it sleeps, of the first tensor in each
  bool asleep_ = false;
};

}  // namespace reloadlab::sim
