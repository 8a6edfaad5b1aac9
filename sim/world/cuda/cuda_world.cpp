#include "sim/world/cuda/cuda_world.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>

#include "sim/world/cuda/ledger.h"
#include "sim/world/module.h"

namespace reloadlab::sim::cuda {

CudaWorld::CudaWorld(const WorldRequest& request)
    : CpuWorld(request.ranks, request.local, request.poison),
      device_(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(request.seat ? request.seat->rank : 0)) {
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  install_ledger();
  const c10::DeviceGuard guard(device_);
  if (request.seat && request.devices) devices_.emplace(*request.seat, device_, account(request.seat->rank), request.timed);
}

void CudaWorld::each_rank(const std::function<void(int)>& body) {
  const c10::DeviceGuard guard(device_);
  for (const int rank : local_ranks()) {
    charge(account(rank));
    body(rank);
    charge(nullptr);
  }
}

}  // namespace reloadlab::sim::cuda

extern "C" reloadlab::sim::World* reloadlab_make_world(const reloadlab::sim::WorldRequest& request) {
  return std::make_unique<reloadlab::sim::cuda::CudaWorld>(request).release();
}
