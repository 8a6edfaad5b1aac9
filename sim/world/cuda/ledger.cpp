#include "sim/world/cuda/ledger.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "sim/world/cuda/cuda_weight_pool.h"

namespace reloadlab::sim::cuda {

using Entry = c10::CachingDeviceAllocator::TraceEntry;

class Ledger {
 public:
  void charge(AccountPtr account, Observer* observer) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(account);
    observer_ = observer;
  }

  void see(const Entry& entry) {
    const std::lock_guard lock(mutex_);
    if (entry.action_ == Entry::ALLOC) given(entry);
    if (entry.action_ == Entry::FREE_COMPLETED) taken_back(entry);
  }

  int64_t serial_at(size_t address) const {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(address);
    return found == blocks_.end() ? -1 : found->second.serial;
  }

 private:
  struct Block {
    AccountPtr account;
    int64_t bytes;
    int64_t serial;
  };

  void given(const Entry& entry) {
    if (!current_ || is_nobodys()) return;
    const auto bytes = static_cast<int64_t>(entry.size_);
    const int64_t serial = current_->next_serial_++;
    blocks_.insert_or_assign(entry.addr_, Block{current_, bytes, serial});
    if (poison(entry, current_->poison_) && observer_) observer_->filled(entry.stream_, reinterpret_cast<const void*>(entry.addr_), bytes);
    current_->change(bytes, serial);
  }

  void taken_back(const Entry& entry) {
    const auto found = blocks_.find(entry.addr_);
    if (found == blocks_.end()) return;
    const Block block = std::move(found->second);
    blocks_.erase(found);
    poison(entry, block.account->poison_);
    block.account->change(-block.bytes, block.serial);
  }

  // False where nothing was filled: in a capture it would become a part of the graph. Whoever frees may be on another device, whose default
  // stream is another one.
  static bool poison(const Entry& entry, std::byte byte) {
    if (sleeps_at(entry.addr_)) return false;
    const Observer::Own calls;
    const auto stream = static_cast<cudaStream_t>(entry.stream_);
    int current = 0;
    cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
    const bool asked = cudaGetDevice(&current) == cudaSuccess && cudaSetDevice(entry.device_) == cudaSuccess &&
                       cudaStreamIsCapturing(stream, &capturing) == cudaSuccess;
    const bool captures = capturing != cudaStreamCaptureStatusNone;
    const bool filled = asked && !captures &&
                        cudaMemsetAsync(reinterpret_cast<void*>(entry.addr_), static_cast<int>(byte), entry.size_, stream) == cudaSuccess;
    (void)cudaSetDevice(current);
    if (!filled && !captures) (void)cudaGetLastError();  // nobody else's: the next call of the allocator would take it for its own
    return filled;
  }

  mutable std::mutex mutex_;
  AccountPtr current_;
  Observer* observer_ = nullptr;
  std::map<size_t, Block> blocks_;  // by address
};

namespace {

Ledger& ledger() {
  static auto* const only = new Ledger;  // the allocator outlives what is destroyed at exit
  return *only;
}

int64_t serial_of(const c10::Storage& storage) {
  const void* data = storage.data();
  return data ? ledger().serial_at(reinterpret_cast<size_t>(data)) : -1;
}

}  // namespace

void charge(AccountPtr account, Observer* observer) { ledger().charge(std::move(account), observer); }

void install_ledger() {
  static const bool installed = [] {
    c10::cuda::CUDACachingAllocator::attachAllocatorTraceTracker([](const Entry& entry) { ledger().see(entry); });
    read_serials_of(c10::DeviceType::CUDA, &serial_of);
    return true;
  }();
  (void)installed;
}

}  // namespace reloadlab::sim::cuda
