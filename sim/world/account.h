#pragma once
// Memory that the harness can see. One allocator of ours serves all CPU tensors of the process; while an Account is current on a
// thread, every allocation of that thread is poisoned, numbered and counted on it, whoever made it, until it is freed, wherever
// that happens. Freed memory is poisoned too. Without a current account (the harness's own work) it only allocates.
//
// Tensors on meta have no bytes. Where meta stands for a device, another allocator of ours counts what they would take there, but
// only while a MetaScope is open: what is made outside of one (models, records, placeholders) is shapes and nothing else.
#include <c10/core/Storage.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace reloadlab::sim::modelled {
class Memory;
}
namespace reloadlab::sim::cuda {
class Ledger;
}

namespace reloadlab::sim {

// Bytes are requested bytes, as tensors ask for them; no rounding. One thread at a time.
class Account {
 public:
  // `poison` is the byte that fills fresh and freed memory: poison_byte(0) or poison_byte(1).
  explicit Account(std::byte poison) : poison_(poison) {}
  // Of a host beside its device: memory is poisoned, and neither numbered nor counted.
  static std::shared_ptr<Account> of_host(std::byte poison) {
    auto account = std::make_shared<Account>(poison);
    account->counts_ = false;
    return account;
  }
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  std::byte poison() const { return poison_; }
  int64_t live_bytes() const { return live_bytes_; }
  int64_t live_allocations() const { return live_allocations_; }
  int64_t peak_bytes() const { return peak_bytes_; }
  void restart_peak() { peak_bytes_ = live_bytes_; }
  // Takes the peak back to an earlier one: what happened since is not to count.
  void forget_peak_since(int64_t earlier) { peak_bytes_ = earlier; }
  // While held, allocations count but do not move the peak: for temporaries of the harness's own reading.
  void hold_peak(bool held);

  // Called for every allocation (bytes > 0) and free (bytes < 0) while set.
  std::function<void(int64_t bytes, int64_t serial)> on_change;

 private:
  friend struct CountingAllocator;
  friend struct MetaAllocator;
  friend class MetaScope;
  friend class modelled::Memory;
  friend class cuda::Ledger;
  void change(int64_t bytes, int64_t serial);
  std::byte poison_;
  int64_t live_bytes_ = 0, live_allocations_ = 0, peak_bytes_ = 0, next_serial_ = 0;
  bool peak_held_ = false, counts_meta_ = false, counts_ = true;
};
using AccountPtr = std::shared_ptr<Account>;

constexpr std::byte poison_byte(int pattern) { return pattern == 0 ? std::byte{0xFF} : std::byte{0xA5}; }

// Makes the account current on this thread for its lifetime; null: nobody's account.
class AccountScope {
 public:
  explicit AccountScope(AccountPtr account);
  ~AccountScope();
  AccountScope(const AccountScope&) = delete;
  AccountScope& operator=(const AccountScope&) = delete;

 private:
  AccountPtr before_;
  bool nobodys_before_;
};

// Living allocations that were made while it was current, by serial number.
using PooledBlocks = std::map<int64_t, std::span<std::byte>>;
// Makes it current on the calling thread, for allocations of an account; null: none is.
void pool_allocations(std::shared_ptr<PooledBlocks> pool);

// Counts tensors made on meta as well, for its lifetime.
class MetaScope {
 public:
  MetaScope(Account& account, bool counts) : account_(account), before_(std::exchange(account.counts_meta_, counts)) {}
  ~MetaScope() { account_.counts_meta_ = before_; }
  MetaScope(const MetaScope&) = delete;
  MetaScope& operator=(const MetaScope&) = delete;

 private:
  Account& account_;
  bool before_;
};

// Whether what the calling thread allocates is to be nobody's, because a scope says so. For allocators of devices, which charge an account
// of their own otherwise.
bool is_nobodys();

// The serial number of the storage's allocation on its account; -1 where the storage is not one of an account (meta, empty, the harness's).
int64_t allocation_serial(const c10::Storage& storage);

// Other allocators of ours give serial numbers too: asked for storages on that type of device, -1 for those that they do not know.
void read_serials_of(c10::DeviceType type, int64_t (*serial_of)(const c10::Storage& storage));

// Installs the allocators; any number of calls. REQUIRES that no other allocator of priority 255 is installed.
void install_counting_allocator();

}  // namespace reloadlab::sim
