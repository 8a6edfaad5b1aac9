#include "sim/world/modelled/memory.h"

#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "sim/world/modelled/capture.h"
#include "sim/world/modelled/device.h"
#include "sim/world/modelled/machine.h"

namespace reloadlab::sim::modelled {
namespace {

constexpr int64_t granule = 512;

bool all_done(const std::vector<PointPtr>& points) {
  return std::all_of(points.begin(), points.end(), [](const PointPtr& point) { return point->done; });
}

}  // namespace

struct Memory::Block {
  BlockId id;
  Place place;
  void* data;
  int64_t requested = 0;
  int64_t serial = -1;                             // on its device's account; -1: nobody's
  std::vector<std::pair<int, int64_t>> also_used;  // device and stream
  std::vector<PointPtr> waits;                     // freed: what must be done before it is reused
  bool pooled = false;                             // can sleep
  std::vector<std::byte> kept;                     // asleep: what it is to hold again
  std::string name;                                // asleep: of a tensor in it
};

// What a storage holds: keeps the memory alive for as long as there are tensors.
struct Memory::Tenant {
  std::shared_ptr<Memory> memory;
  Block* block;
};

Memory::Memory(int devices, std::byte poison, bool bytes)
    : poison_(poison), bytes_(bytes), made_(static_cast<size_t>(devices), 0), pooling_(made_.size()), touched_(made_.size()) {
  for (int device = 0; device < devices; ++device) accounts_.push_back(std::make_shared<Account>(poison));
}

Memory::~Memory() {
  for (const auto& block : blocks_)
    if (bytes_) c10::free_cpu(block->data);
}

c10::DataPtr Memory::allocate(size_t bytes) {
  Machine& machine = Machine::required();
  int device = machine.device();
  c10::Device where = modelled_device(device);
  if (bytes == 0) return {nullptr, nullptr, &release, where};
  Stream& stream = machine.stream(device, machine.current_stream(device));
  int64_t rounded = (static_cast<int64_t>(bytes) + granule - 1) / granule * granule;
  machine.uses(device);
  Block& block = take({device, stream.id, rounded, stream.capture ? stream.capture->pool() : nullptr});
  Account& account = *accounts_[static_cast<size_t>(device)];
  block.requested = static_cast<int64_t>(bytes);
  block.serial = -1;
  block.pooled = pooling_[static_cast<size_t>(device)];
  if (!is_nobodys()) {
    block.serial = account.next_serial_++;
    account.change(block.requested, block.serial);
  }
  poison(block, stream, "allocation", true);
  return {block.data, new Tenant{shared_from_this(), &block}, &release, where};
}

Memory::Block& Memory::take(const Place& place) {
  std::vector<Block*>& free = free_[place];
  if (!free.empty()) {
    Block* block = free.back();
    free.pop_back();
    return *block;
  }
  if (Block* block = take_pending(place)) return *block;
  // Numbered on its device, so that numbers do not depend on which rank came first.
  auto devices = static_cast<BlockId>(accounts_.size());
  BlockId id = made_[static_cast<size_t>(place.device)]++ * devices + place.device;
  return *blocks_.emplace_back(std::make_unique<Block>(Block{id, place, fresh(place.bytes)}));
}

void* Memory::fresh(int64_t bytes) {
  if (!bytes_) return reinterpret_cast<void*>(std::exchange(unmapped_, unmapped_ + static_cast<uintptr_t>(bytes)));
  void* data = c10::alloc_cpu(static_cast<size_t>(bytes));
  std::memset(data, static_cast<int>(poison_), static_cast<size_t>(bytes));
  return data;
}

Memory::Block* Memory::take_pending(const Place& place) {
  auto fits = [&](const Block* block) { return block->place == place; };
  if (std::none_of(pending_.begin(), pending_.end(), fits)) return nullptr;
  Machine& machine = Machine::required();
  // A visible operation: whether the other streams are done by now depends on who goes on first.
  std::vector<PointPtr> points;
  for (const Block* block : pending_)
    if (fits(block)) points.insert(points.end(), block->waits.begin(), block->waits.end());
  machine.host_look(points);
  auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Block* block) { return fits(block) && all_done(block->waits); });
  if (found == pending_.end() || machine.choose(ChoiceKind::reuse, 2) == 0) return nullptr;
  Block* block = *found;
  pending_.erase(found);
  for (const PointPtr& point : block->waits) machine.host_joins(*point);
  block->waits.clear();
  return block;
}

void Memory::poison(Block& block, Stream& stream, const char* name, bool counts) {
  if (!bytes_ && !counts) return;
  Kernel kernel{.name = name};
  if (counts) kernel.accesses.push_back({Region::bytes(block.id, 0, block.place.bytes), true});
  if (bytes_)
    kernel.run = [data = block.data, bytes = static_cast<size_t>(block.place.bytes), byte = static_cast<int>(poison_)] {
      std::memset(data, byte, bytes);
    };
  Machine::required().fill(stream, std::move(kernel));
}

void Memory::release(void* context) {
  std::unique_ptr<Tenant> tenant(static_cast<Tenant*>(context));
  if (tenant) tenant->memory->free(*tenant->block);
}

void Memory::free(Block& block) {
  if (block.serial >= 0) accounts_[static_cast<size_t>(block.place.device)]->change(-block.requested, block.serial);
  asleep_.erase(block.id);
  block.pooled = false;
  Machine* machine = Machine::current();
  if (!machine || &machine->memory() != this) return;
  Stream& stream = machine->stream(block.place.device, block.place.stream);
  machine->uses(block.place.device);
  for (const auto& [device, id] : block.also_used) {
    Stream& user = machine->stream(device, id);
    if (!user.capture) block.waits.push_back(machine->record(user, fmt::format("{}, which used a freed block", user.name())));
  }
  block.also_used.clear();
  bool waits = !block.waits.empty();
  if (waits) {
    pending_.push_back(&block);
  } else {
    free_[block.place].push_back(&block);
    // A captured temporary keeps its bytes: a replay uses the block again. A block in use elsewhere must keep them.
    if (!block.place.pool && !stream.capture) poison(block, stream, "free", false);
  }
}

void Memory::record_stream(const c10::DataPtr& data, Stream& stream) {
  auto* tenant = data.cast_context<Tenant>(&release);
  TORCH_CHECK(tenant || !data.get(), "record_stream: not memory of a modelled device");
  if (!tenant) return;
  Block& block = *tenant->block;
  std::pair user(stream.device, stream.id);
  bool own = user == std::pair(block.place.device, block.place.stream);
  if (!own && std::find(block.also_used.begin(), block.also_used.end(), user) == block.also_used.end()) block.also_used.push_back(user);
}

void Memory::end_pool(const void* pool) {
  std::vector<Block*> blocks;
  std::erase_if(free_, [&](const auto& entry) {
    if (entry.first.pool != pool) return false;
    blocks.insert(blocks.end(), entry.second.begin(), entry.second.end());
    return true;
  });
  for (Block* block : blocks) free_[{block->place.device, block->place.stream, block->place.bytes, nullptr}].push_back(block);
  for (const auto& block : blocks_)
    if (block->place.pool == pool) block->place.pool = nullptr;
}

std::vector<Memory::Block*> Memory::pooled(int device) const {
  std::vector<Block*> found;
  for (const auto& block : blocks_)
    if (block->pooled && block->place.device == device) found.push_back(block.get());
  return found;
}

// One kernel that has all their bytes, for whom the host waits.
void Memory::over(int device, const char* name, const std::vector<Block*>& blocks, const std::function<void(Block&)>& what) {
  Machine& machine = Machine::required();
  Stream& stream = machine.stream(device, machine.current_stream(device));
  Kernel kernel{.name = name, .run = [blocks, what] { std::ranges::for_each(blocks, [&](Block* block) { what(*block); }); }};
  for (const Block* block : blocks) kernel.accesses.push_back({Region::bytes(block->id, 0, block->place.bytes), true});
  machine.issue(stream, std::move(kernel));
  machine.synchronize(stream);
}

void Memory::sleep(int device, bool keeps, const std::map<BlockId, std::string>& names) {
  over(device, "unmap", pooled(device), [this, keeps, names](Block& block) {
    const auto* data = static_cast<const std::byte*>(block.data);
    if (keeps) block.kept.assign(data, data + block.place.bytes);
    const auto name = names.find(block.id);
    block.name = name == names.end() ? "memory that no layer holds" : name->second;
    std::memset(block.data, static_cast<int>(poison_), static_cast<size_t>(block.place.bytes));
    asleep_[block.id] = &block;
  });
}

void Memory::wake(int device) {
  const std::vector<Block*> blocks = pooled(device);
  for (const Block* block : blocks) asleep_.erase(block->id);
  over(device, "map", blocks, [](Block& block) {
    if (!block.kept.empty()) std::memcpy(block.data, block.kept.data(), block.kept.size());
    block.kept = {};
  });
}

bool Memory::hits_sleeping(const std::string& who, const std::vector<Access>& accesses) {
  if (asleep_.empty()) return false;
  for (const Access& access : accesses) {
    const auto found = asleep_.find(access.region.block());
    if (found == asleep_.end() || access.region.empty()) continue;
    std::string& first = touched_[static_cast<size_t>(found->second->place.device)];
    if (first.empty()) first = fmt::format("{} {} {}", who, access.write ? "writes" : "reads", found->second->name);
    return true;
  }
  return false;
}

int64_t Memory::serial_of(const c10::Storage& storage) {
  auto* tenant = storage.data_ptr().cast_context<Tenant>(&release);
  return tenant ? tenant->block->serial : -1;
}

BlockId Memory::block_of(const c10::Storage& storage) {
  const c10::DataPtr& data = storage.data_ptr();
  if (!data.get()) return -1;
  auto* tenant = data.cast_context<Tenant>(&release);
  TORCH_CHECK(tenant, "memory on a modelled device that its allocator did not give");
  return tenant->block->id;
}

}  // namespace reloadlab::sim::modelled
