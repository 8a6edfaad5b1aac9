#include "sim/world/cuda/ledger.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "sim/world/cuda/cuda_weight_pool.h"

namespace reloadlab::sim::cuda {

using Entry = c10::CachingDeviceAllocator::TraceEntry;

// Memory that is given or given back, and the stream that it is for.
struct Span {
  size_t address;
  int64_t bytes;
  Handle stream;
  int device;
};

Span span_of(const Entry& entry) { return {entry.addr_, static_cast<int64_t>(entry.size_), entry.stream_, entry.device_}; }

class Ledger final : public PoolListener {
 public:
  void charge(AccountPtr account, Observer* observer) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(account);
    observer_ = observer;
  }

  void see(const Entry& entry) {
    const std::lock_guard lock(mutex_);
    if (entry.action_ == Entry::ALLOC) given(span_of(entry));
    if (entry.action_ == Entry::FREE_REQUESTED) given_back(entry.addr_);
    if (entry.action_ == Entry::FREE_COMPLETED) at_rest(span_of(entry));
  }

  void taken(const void* at, int64_t bytes, Handle stream) override {
    const std::lock_guard lock(mutex_);
    const Span span{reinterpret_cast<size_t>(at), bytes, stream, current_device()};
    sizes_.insert_or_assign(span.address, bytes);
    come_after_tenants(span);
    given(span);
  }
  // What other streams did with it comes before, on this one.
  void gives_back(const void* at, Handle stream) override {
    const std::lock_guard lock(mutex_);
    const auto address = reinterpret_cast<size_t>(at);
    const auto size = sizes_.find(address);
    if (size == sizes_.end()) return;
    given_back(address);
    const Span span{address, size->second, stream, current_device()};
    at_rest(span);
    remember_tenant(span);
    sizes_.erase(size);
  }
  bool heard_of_pools() const {
    const std::lock_guard lock(mutex_);
    return !sizes_.empty();
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

  static int current_device() {
    int device = 0;
    (void)cudaGetDevice(&device);
    return device;
  }

  void given(const Span& span) {
    if (!current_ || is_nobodys()) return;
    const int64_t serial = current_->next_serial_++;
    blocks_.insert_or_assign(span.address, Block{current_, span.bytes, serial});
    if (poison(span, current_->poison_) && observer_)
      observer_->filled(span.stream, reinterpret_cast<const void*>(span.address), span.bytes);
    current_->change(span.bytes, serial);
  }

  // The driver hands memory from stream to stream, and orders what the next one does behind what the last one did.
  void remember_tenant(const Span& span) {
    if (!observer_ || is_capturing(span.stream)) return;
    auto& [bytes, event] = tenants_[span.address];
    bytes = span.bytes;
    if (!event) event = std::make_unique<char>();
    observer_->order().record(event.get(), span.stream);
  }
  void come_after_tenants(const Span& span) {
    const size_t end = span.address + static_cast<size_t>(span.bytes);
    auto tenant = tenants_.lower_bound(span.address);
    while (tenant != tenants_.begin() && std::prev(tenant)->first + static_cast<size_t>(std::prev(tenant)->second.first) > span.address)
      --tenant;
    for (; observer_ && tenant != tenants_.end() && tenant->first < end; ++tenant)
      if (!is_capturing(span.stream)) observer_->order().wait(span.stream, tenant->second.second.get());
  }

  static bool is_capturing(Handle stream) {
    cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
    (void)cudaStreamIsCapturing(static_cast<cudaStream_t>(const_cast<void*>(stream)), &capturing);
    return capturing != cudaStreamCaptureStatusNone;
  }

  // Nobody's from here on, though other streams may still use it.
  void given_back(size_t address) {
    const auto found = blocks_.find(address);
    if (found == blocks_.end()) return;
    const Block block = std::move(found->second);
    blocks_.erase(found);
    leaving_.insert_or_assign(address, block.account->poison_);
    block.account->change(-block.bytes, block.serial);
  }

  void at_rest(const Span& span) {
    const auto found = leaving_.find(span.address);
    if (found == leaving_.end()) return;
    poison(span, found->second);
    leaving_.erase(found);
  }

  // False where nothing was filled: in a capture it would become a part of the graph. Whoever frees may be on another device, whose default
  // stream is another one.
  static bool poison(const Span& span, std::byte byte) {
    if (sleeps_at(span.address)) return false;
    const Observer::Own calls;
    const auto stream = static_cast<cudaStream_t>(const_cast<void*>(span.stream));
    const int current = current_device();
    cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
    const bool asked = cudaSetDevice(span.device) == cudaSuccess && cudaStreamIsCapturing(stream, &capturing) == cudaSuccess;
    const bool captures = capturing != cudaStreamCaptureStatusNone;
    const bool filled = asked && !captures &&
                        cudaMemsetAsync(reinterpret_cast<void*>(span.address), static_cast<int>(byte), static_cast<size_t>(span.bytes),
                                        stream) == cudaSuccess;
    (void)cudaSetDevice(current);
    if (!filled && !captures) (void)cudaGetLastError();  // nobody else's: the next call of the allocator would take it for its own
    return filled;
  }

  mutable std::mutex mutex_;
  AccountPtr current_;
  Observer* observer_ = nullptr;
  std::map<size_t, Block> blocks_;                                       // by address
  std::map<size_t, std::byte> leaving_;                                  // given back, by address: the poison that they get
  std::map<size_t, std::pair<int64_t, std::unique_ptr<char>>> tenants_;  // of pools, gone: bytes, and what stands for an event behind them
  std::map<size_t, int64_t> sizes_;                                      // of what is from the driver's pools, by address
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

Charged::Charged(AccountPtr account, Observer* observer) { ledger().charge(std::move(account), observer); }
Charged::~Charged() { ledger().charge(nullptr, nullptr); }

namespace {

// The allocator of the driver's pools tells nobody: its calls of the runtime do.
void listen_to_pools() {
  const auto listen = reinterpret_cast<ListenToPools>(::dlsym(RTLD_DEFAULT, "reloadlab_listen_to_pools"));
  TORCH_CHECK(listen, "this program does not hear what the allocator cudaMallocAsync takes");
  listen(&ledger());
  const at::DataPtr something = c10::cuda::CUDACachingAllocator::get()->allocate(1);
  TORCH_CHECK(ledger().heard_of_pools(), "what the allocator cudaMallocAsync takes is not heard");
}

}  // namespace

void install_ledger() {
  static const bool installed = [] {
    if (c10::cuda::CUDACachingAllocator::name() == "native")
      c10::cuda::CUDACachingAllocator::attachAllocatorTraceTracker([](const Entry& entry) { ledger().see(entry); });
    else
      listen_to_pools();
    read_serials_of(c10::DeviceType::CUDA, &serial_of);
    return true;
  }();
  (void)installed;
}

}  // namespace reloadlab::sim::cuda
