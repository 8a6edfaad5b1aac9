#include "sim/world/cuda/cuda_weight_pool.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/csrc/cuda/CUDAPluggableAllocator.h>

#include <map>
#include <mutex>
#include <thread>

#include "sim/world/cuda/observer.h"
#include "sim/world/cuda/pages.h"

namespace reloadlab::sim::cuda {
namespace {

// Ranges of addresses that sleep, of all pools of the process: from their beginnings to their ends.
struct Asleep {
  std::mutex mutex;
  std::map<size_t, size_t> ranges;
};

Asleep& asleep() {
  static auto* const all = new Asleep;  // the allocator outlives what is destroyed at exit
  return *all;
}

void note(const Pages& pages, bool sleeps) {
  Asleep& all = asleep();
  const std::lock_guard lock(all.mutex);
  if (sleeps)
    all.ranges[pages.address] = pages.address + pages.bytes;
  else
    all.ranges.erase(pages.address);
}

}  // namespace

bool sleeps_at(size_t address) {
  Asleep& all = asleep();
  const std::lock_guard lock(all.mutex);
  const auto behind = all.ranges.upper_bound(address);
  return behind != all.ranges.begin() && address < std::prev(behind)->second;
}

// What the allocator has taken for the pool; it outlives the pool with whoever holds a tensor in it.
struct CudaWeightPool::Segments {
  struct Segment {
    Pages pages;
    std::vector<std::byte> kept;  // asleep
  };
  std::mutex mutex;
  std::map<size_t, Segment> all;  // by address

  void* take(size_t bytes, int device) {
    const Pages pages = reserve_pages(bytes, device);
    const std::lock_guard lock(mutex);
    all[pages.address].pages = pages;
    return reinterpret_cast<void*>(pages.address);
  }

  void give_back(void* address) {
    const std::lock_guard lock(mutex);
    const auto found = all.find(reinterpret_cast<size_t>(address));
    if (found == all.end()) return;
    note(found->second.pages, false);
    release_pages(found->second.pages);
    all.erase(found);
  }
};

CudaWeightPool::CudaWeightPool(int device, AccountPtr account)
    : device_(device), account_(std::move(account)), segments_(std::make_shared<Segments>()) {
  auto allocator = torch::cuda::CUDAPluggableAllocator::createCustomAllocator(
      [segments = segments_](size_t bytes, int where, cudaStream_t) { return segments->take(bytes, where); },
      [segments = segments_](void* address, size_t, int, cudaStream_t) { segments->give_back(address); });
  pool_ = std::make_unique<at::cuda::MemPool>(std::move(allocator));
}

// Where the context was lost the pool cannot be given back, and ends with the process.
CudaWeightPool::~CudaWeightPool() {
  if (cudaDeviceSynchronize() != cudaSuccess) (void)pool_.release();
}

void CudaWeightPool::open(bool open) {
  const auto index = static_cast<c10::DeviceIndex>(device_);
  if (!open) return c10::cuda::CUDACachingAllocator::endAllocateToPool(index, pool_->id());
  const std::thread::id mine = std::this_thread::get_id();
  c10::cuda::CUDACachingAllocator::beginAllocateToPool(index, pool_->id(),
                                                       [mine](cudaStream_t) { return std::this_thread::get_id() == mine; });
}

void CudaWeightPool::sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>>) {
  const Observer::Own calls;
  C10_CUDA_CHECK(cudaStreamSynchronize(c10::cuda::getCurrentCUDAStream()));
  const std::lock_guard lock(segments_->mutex);
  for (auto& [address, segment] : segments_->all) {
    if (keeps) {
      segment.kept.resize(segment.pages.bytes);
      C10_CUDA_CHECK(cudaMemcpy(segment.kept.data(), reinterpret_cast<void*>(address), segment.pages.bytes, cudaMemcpyDeviceToHost));
    }
    note(segment.pages, true);
    unmap(segment.pages);
  }
}

void CudaWeightPool::wake() {
  const Observer::Own calls;
  const std::lock_guard lock(segments_->mutex);
  for (auto& [address, segment] : segments_->all) {
    if (segment.pages.handle != 0) continue;
    map_again(segment.pages);
    note(segment.pages, false);
    auto* data = reinterpret_cast<void*>(address);
    if (segment.kept.empty())
      C10_CUDA_CHECK(cudaMemset(data, static_cast<int>(account_->poison()), segment.pages.bytes));
    else
      C10_CUDA_CHECK(cudaMemcpy(data, segment.kept.data(), segment.pages.bytes, cudaMemcpyHostToDevice));
    segment.kept = {};
  }
  C10_CUDA_CHECK(cudaDeviceSynchronize());
}

// The runtime throws what was touched; by whom it does not know.
std::string CudaWeightPool::touched() {
  const Observer::Own calls;
  C10_CUDA_CHECK(cudaDeviceSynchronize());
  return {};
}

}  // namespace reloadlab::sim::cuda
