#include "sim/world/cuda/cuda_world.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>

#include "reference/base/check.h"
#include "sim/world/cuda/ledger.h"
#include "sim/world/module.h"

namespace reloadlab::sim::cuda {

CudaWorld::CudaWorld(const WorldRequest& request) : local_(request.local), accounts_(static_cast<size_t>(request.ranks)) {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  install_counting_allocator();  // what hosts hold is nobody's, and poisoned all the same
  install_ledger();
  for (const int rank : local_) accounts_[static_cast<size_t>(rank)] = std::make_shared<Account>(poison_byte(request.poison));
}

void CudaWorld::each_rank(const std::function<void(int)>& body) {
  const c10::DeviceGuard guard(device(0));
  for (const int rank : local_) {
    charge(accounts_[static_cast<size_t>(rank)]);
    body(rank);
    charge(nullptr);
  }
}

at::Tensor CudaWorld::sum(const std::vector<at::Tensor>& local_partials) {
  RELOADLAB_CHECK(local_partials.size() == accounts_.size(), "one partial result for each rank");
  at::Tensor total = local_partials.front().clone();
  for (size_t rank = 1; rank < local_partials.size(); ++rank) total.add_(local_partials[rank]);
  return total;
}

}  // namespace reloadlab::sim::cuda

extern "C" reloadlab::sim::World* reloadlab_make_world(const reloadlab::sim::WorldRequest& request) {
  return std::make_unique<reloadlab::sim::cuda::CudaWorld>(request).release();
}
