#include "sim/world/account.h"

#include <c10/core/Allocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cstring>
#include <map>

#include "reference/base/out_of_memory.h"

namespace reloadlab::sim {
namespace {

AccountPtr& current() {
  thread_local AccountPtr account;
  return account;
}

std::map<c10::DeviceType, int64_t (*)(const c10::Storage&)>& serial_readers() {
  static std::map<c10::DeviceType, int64_t (*)(const c10::Storage&)> readers;
  return readers;
}

thread_local bool nobodys = false;

// Lies in front of the tensor's bytes; padded so that these keep the alignment that kernels expect.
struct alignas(64) Header {
  AccountPtr account;  // null: nobody's
  int64_t bytes;
  int64_t serial;
  std::shared_ptr<PooledBlocks> pool;  // null: it is in none
};
static_assert(sizeof(Header) == 64);

std::shared_ptr<PooledBlocks>& current_pool() {
  thread_local std::shared_ptr<PooledBlocks> pool;
  return pool;
}

// LibTorch's own message is a stack trace.
void* plain_memory(size_t bytes) try { return c10::alloc_cpu(bytes); } catch (const c10::Error&) {
  throw OutOfMemory(fmt::format("no memory for {} bytes", bytes));
}

Header* header_of(void* data) { return static_cast<Header*>(data) - 1; }

}  // namespace

struct CountingAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    c10::Device device(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &release, device};
    void* memory = plain_memory(sizeof(Header) + bytes);
    auto* header = new (memory) Header{current(), static_cast<int64_t>(bytes), -1, current() ? current_pool() : nullptr};
    void* data = static_cast<void*>(header + 1);
    if (Account* account = header->account.get()) {
      std::memset(data, static_cast<int>(account->poison_), bytes);
      if (account->counts_) header->serial = account->next_serial_++;
      account->change(header->bytes, header->serial);
      if (header->pool) (*header->pool)[header->serial] = {static_cast<std::byte*>(data), bytes};
    }
    // The context is the data: raw_allocate() relies on it.
    return {data, data, &release, device};
  }

  static void release(void* data) {
    if (!data) return;
    Header* header = header_of(data);
    if (Account* account = header->account.get()) {
      std::memset(static_cast<void*>(header + 1), static_cast<int>(account->poison_), static_cast<size_t>(header->bytes));
      account->change(-header->bytes, header->serial);
      if (header->pool) header->pool->erase(header->serial);
    }
    header->~Header();
    c10::free_cpu(header);
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

// Storages on meta have no data; what the account was charged lies in the context.
struct MetaAllocator final : c10::Allocator {
  struct Charge {
    AccountPtr account;
    int64_t bytes;
  };

  c10::DataPtr allocate(size_t bytes) override {
    c10::Device device(c10::DeviceType::Meta);
    const AccountPtr& account = current();
    if (bytes == 0 || !account || !account->counts_meta_) return {nullptr, nullptr, &release, device};
    auto* charge = new Charge{account, static_cast<int64_t>(bytes)};
    account->change(charge->bytes, -1);
    return {nullptr, charge, &release, device};
  }

  static void release(void* context) {
    std::unique_ptr<Charge> charge(static_cast<Charge*>(context));
    if (charge) charge->account->change(-charge->bytes, -1);
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void*, const void*, size_t) const override {}
};

void Account::change(int64_t bytes, int64_t serial) {
  if (!counts_) return;
  live_bytes_ += bytes;
  live_allocations_ += bytes > 0 ? 1 : -1;
  if (!peak_held_ && live_bytes_ > peak_bytes_) peak_bytes_ = live_bytes_;
  if (on_change) on_change(bytes, serial);
}

void Account::hold_peak(bool held) {
  peak_held_ = held;
  if (!held && live_bytes_ > peak_bytes_) peak_bytes_ = live_bytes_;
}

AccountScope::AccountScope(AccountPtr account)
    : before_(std::exchange(current(), std::move(account))), nobodys_before_(std::exchange(nobodys, current() == nullptr)) {}
AccountScope::~AccountScope() {
  current() = std::move(before_);
  nobodys = nobodys_before_;
}

void pool_allocations(std::shared_ptr<PooledBlocks> pool) { current_pool() = std::move(pool); }

bool is_nobodys() { return nobodys; }

void read_serials_of(c10::DeviceType type, int64_t (*serial_of)(const c10::Storage&)) { serial_readers()[type] = serial_of; }

int64_t allocation_serial(const c10::Storage& storage) {
  if (!storage.device().is_cpu()) {
    const auto reader = serial_readers().find(storage.device_type());
    return reader == serial_readers().end() ? -1 : reader->second(storage);
  }
  const c10::DataPtr& data = storage.data_ptr();
  if (data.get_deleter() != &CountingAllocator::release || !data.get_context()) return -1;
  return header_of(data.get_context())->serial;
}

void install_counting_allocator() {
  static CountingAllocator allocator;
  static MetaAllocator meta_allocator;
  static const bool installed = [] {
    c10::SetAllocator(c10::DeviceType::CPU, &allocator, 255);
    c10::SetAllocator(c10::DeviceType::Meta, &meta_allocator, 255);
    return true;
  }();
  (void)installed;
}

}  // namespace reloadlab::sim
