#pragma once
// A rank's pool of weights on a GPU: a pool of LibTorch's caching allocator, whose segments are pages of ours. Nothing of it is touched
// while it sleeps, by the ledger neither: an access would end what the process can do on its GPU.
#include <ATen/cuda/MemPool.h>

#include <memory>

#include "sim/world/account.h"
#include "sim/world/weight_pool.h"

namespace reloadlab::sim::cuda {

class CudaWeightPool final : public WeightPool {
 public:
  CudaWeightPool(int device, AccountPtr account);
  ~CudaWeightPool() override;
  CudaWeightPool(const CudaWeightPool&) = delete;
  CudaWeightPool& operator=(const CudaWeightPool&) = delete;

  void open(bool open) override;
  void sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>> names) override;
  void wake() override;
  std::string touched() override;

  struct Segments;

 private:
  int device_;
  AccountPtr account_;
  std::shared_ptr<Segments> segments_;
  std::unique_ptr<at::cuda::MemPool> pool_;
};

// Whether the address lies in a pool that sleeps.
bool sleeps_at(size_t address);

}  // namespace reloadlab::sim::cuda
