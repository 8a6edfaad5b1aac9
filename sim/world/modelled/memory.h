#pragma once
// Device memory with the reuse rules of a caching allocator, over host memory that stays mapped as long as the machine's tensors live.
//
//   * A freed block serves the next request of its own stream, device, size and pool at once: order on the stream makes that safe.
//   * A block that record_stream() named other streams for waits for what these had queued when it was freed. Once that is done it
//     may be reused, or not yet: a choice of the world.
//   * Everything allocated while a stream captures comes from that capture's pool, which nothing else uses while the graph lives.
//
// Blocks are not split or merged; sizes are rounded up to 512 bytes. Fresh memory is poisoned in stream order when it is handed out,
// which counts as a write; freed memory is poisoned too, which does not.
#include <c10/core/Storage.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/world/account.h"
#include "sim/world/modelled/action.h"

namespace reloadlab::sim::modelled {

struct Stream;

class Memory : public std::enable_shared_from_this<Memory> {
 public:
  // Without bytes, blocks have addresses that nothing is mapped to.
  Memory(int devices, std::byte poison, bool bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // For the calling host's current device and its current stream there.
  c10::DataPtr allocate(size_t bytes);
  // The block may not be reused before what the stream holds at the time it is freed is done.
  void record_stream(const c10::DataPtr& data, Stream& stream);
  // What the capture's pool holds is everybody's again.
  void end_pool(const void* pool);

  // The block of a storage; -1 where it is empty. Throws c10::Error for memory that is not a modelled device's.
  static BlockId block_of(const c10::Storage& storage);
  static int64_t serial_of(const c10::Storage& storage);  // on its device's account; -1 for the rest
  // Requested bytes, as tensors ask for them, but for what a scope says is nobody's.
  AccountPtr account(int device) const { return accounts_.at(static_cast<size_t>(device)); }

  // Blocks that are handed out on the device from here on, or no longer, can sleep (weight_pool.h of sim/world).
  void pool(int device, bool open) { pooling_[static_cast<size_t>(device)] = open; }
  // In the order of the device's current stream, which the host waits for. Without bytes there is nothing that could be unmapped.
  void sleep(int device, bool keeps, const std::map<BlockId, std::string>& names);
  void wake(int device);
  // What executes now touches blocks of the device that sleep: it is noted, and has no effect. False: none of them sleeps.
  bool hits_sleeping(const std::string& who, const std::vector<Access>& accesses);
  std::string take_touched(int device) { return std::exchange(touched_[static_cast<size_t>(device)], {}); }
  int64_t block_count() const { return static_cast<int64_t>(blocks_.size()); }

 private:
  struct Block;
  struct Tenant;
  struct Place {  // what a request and a block must agree in
    int device;
    int64_t stream;
    int64_t bytes;
    const void* pool;
    auto operator<=>(const Place&) const = default;
  };
  static void release(void* tenant);
  void free(Block& block);
  void* fresh(int64_t bytes);
  Block& take(const Place& place);
  Block* take_pending(const Place& place);
  std::vector<Block*> pooled(int device) const;  // that are handed out
  void over(int device, const char* name, const std::vector<Block*>& blocks, const std::function<void(Block&)>& what);
  void poison(Block& block, Stream& stream, const char* name, bool counts);

  std::byte poison_;
  bool bytes_;
  uintptr_t unmapped_ = uintptr_t{1} << 48;  // processors of today map nothing there
  std::vector<AccountPtr> accounts_;         // by device
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<BlockId> made_;  // blocks, by device
  std::map<Place, std::vector<Block*>> free_;
  std::vector<Block*> pending_;  // freed, and perhaps still in use by other streams
  std::vector<bool> pooling_;    // by device
  std::map<BlockId, Block*> asleep_;
  std::vector<std::string> touched_;  // by device: the first access to a block that slept
};

}  // namespace reloadlab::sim::modelled
