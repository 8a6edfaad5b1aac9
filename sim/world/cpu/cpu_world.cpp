#include "sim/world/cpu/cpu_world.h"

#include "reference/base/check.h"
#include "sim/world/cpu/closed_memory.h"
#include "sim/world/cpu/shared_memory.h"

namespace reloadlab::sim {

CpuWorld::CpuWorld(int ranks, std::vector<int> local, int poison)
    : local_(std::move(local)), accounts_(static_cast<size_t>(ranks)), pools_(static_cast<size_t>(ranks)) {
  install_counting_allocator();
  for (int rank : local_) {
    const auto index = static_cast<size_t>(rank);
    accounts_[index] = std::make_shared<Account>(poison_byte(poison));
    pools_[index] = std::make_unique<CpuWeightPool>(accounts_[index]);
  }
}

void CpuWorld::each_rank(const std::function<void(int)>& body) {
  for (int rank : local_) {
    AccountScope scope(accounts_[static_cast<size_t>(rank)]);
    body(rank);
  }
}

Result<std::unique_ptr<ForeignMemory>> CpuWorld::foreign_memory(int, int64_t bytes) { return shared_memory(bytes); }
std::string CpuWorld::touched() { return touched_closed_memory(); }

at::Tensor CpuWorld::sum(const std::vector<at::Tensor>& local_partials) {
  RELOADLAB_CHECK(local_partials.size() == accounts_.size(), "one partial result for each rank");
  at::Tensor total = local_partials.front().clone();
  for (size_t rank = 1; rank < local_partials.size(); ++rank) total.add_(local_partials[rank]);
  return total;
}

}  // namespace reloadlab::sim
