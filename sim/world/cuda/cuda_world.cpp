#include "sim/world/cuda/cuda_world.h"

#include <ATen/Context.h>
#include <c10/core/AllocatorConfig.h>
#include <c10/core/DeviceGuard.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

#include <cstdlib>

#include "sim/scenario/spelling.h"
#include "sim/world/cuda/graph.h"
#include "sim/world/cuda/ipc_memory.h"
#include "sim/world/cuda/ledger.h"
#include "sim/world/module.h"

namespace reloadlab::sim::cuda {

namespace {

std::string the_allocator() {
  const std::string backend = c10::cuda::CUDACachingAllocator::name();
  return backend == "native" && c10::CachingAllocator::AcceleratorAllocatorConfig::use_expandable_segments() ? "expandable_segments"
                                                                                                             : backend;
}

void need_allocator(GpuAllocator asked) {
  const std::string there = the_allocator();
  TORCH_CHECK(asked == GpuAllocator::environment || spell(allocator_spellings, asked) == there, "this process has the allocator ", there,
              " from its start, the case asks for ", spell(allocator_spellings, asked));
}

}  // namespace

CudaWorld::CudaWorld(const WorldRequest& request)
    : CpuWorld(request.ranks, request.local, request.poison),
      device_(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(request.seat ? request.seat->device : 0)) {
  ::setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);  // queues that are shared would order streams that nothing orders
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  need_allocator(request.allocator);
  install_ledger();
  const c10::DeviceGuard guard(device_);
  if (request.seat && request.devices) devices_.emplace(request, device_, account(request.seat->rank));
  if (request.order && !devices_) seen_.emplace(request, device_);
}

SeenOrder* CudaWorld::seen_order() {
  if (seen_) return &*seen_;
  return devices();
}

std::unique_ptr<DeviceGraph> CudaWorld::make_graph(const GraphOptions& options) { return cuda::make_graph(options); }

Result<std::unique_ptr<ForeignMemory>> CudaWorld::foreign_memory(int, int64_t bytes) { return ipc_memory(device_, bytes); }

WeightPool* CudaWorld::weight_pool(int rank) {
  const c10::DeviceGuard guard(device_);
  return &pools_.try_emplace(rank, device_.index(), account(rank)).first->second;
}

// No guard: it would throw what is to be told.
std::string CudaWorld::broken() const {
  int before = 0;
  cudaError_t error = ::cudaGetDevice(&before);
  if (error == cudaSuccess) error = ::cudaSetDevice(device_.index());
  if (error == cudaSuccess) error = ::cudaDeviceSynchronize();
  (void)::cudaSetDevice(before);
  return error == cudaSuccess ? "" : ::cudaGetErrorString(error);
}

void CudaWorld::each_rank(const std::function<void(int)>& body) {
  const c10::DeviceGuard guard(device_);
  for (const int rank : local_ranks()) {
    if (seen_) {
      seen_->run(rank, account(rank), body);
      continue;
    }
    const Charged charged(account(rank));
    body(rank);
  }
}

}  // namespace reloadlab::sim::cuda

extern "C" reloadlab::sim::World* reloadlab_make_world(const reloadlab::sim::WorldRequest& request) {
  return std::make_unique<reloadlab::sim::cuda::CudaWorld>(request).release();
}
