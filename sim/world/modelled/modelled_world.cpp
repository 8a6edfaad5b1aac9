#include "sim/world/modelled/modelled_world.h"

#include <c10/core/DeviceGuard.h>
#include <fmt/ranges.h>

#include "reference/base/check.h"
#include "sim/world/modelled/device.h"

namespace reloadlab::sim::modelled {

ModelledWorld::ModelledWorld(int ranks, std::vector<int> local, int poison, std::unique_ptr<Chooser> chooser)
    : ranks_(ranks),
      local_(std::move(local)),
      machine_({.ranks = static_cast<int>(local_.size()), .poison = poison_byte(poison)}, std::move(chooser)) {
  install_counting_allocator();  // what hosts hold is nobody's, and poisoned all the same
}

int ModelledWorld::index_of(int rank) const {
  const auto found = std::ranges::lower_bound(local_, rank);
  RELOADLAB_CHECK(found != local_.end() && *found == rank, "a rank that is run here");
  return static_cast<int>(found - local_.begin());
}

c10::Device ModelledWorld::device(int rank) const { return modelled_device(index_of(rank)); }
AccountPtr ModelledWorld::account(int rank) const { return machine_.memory().account(index_of(rank)); }

void ModelledWorld::each_rank(const std::function<void(int)>& body) {
  const RunReport report = machine_.run([&](int index) {
    AccountScope scope(machine_.memory().account(index));
    body(local_[static_cast<size_t>(index)]);
  });
  for (const std::exception_ptr& failure : report.failures)
    if (failure) std::rethrow_exception(failure);
  TORCH_CHECK(report.stopped.empty(), report.stopped, "; ", fmt::format("{}", fmt::join(report.waits, "; ")));
}

// The driver adds on the first rank's device, whose copies wait for their sources.
at::Tensor ModelledWorld::sum(const std::vector<at::Tensor>& local_partials) {
  RELOADLAB_CHECK(local_partials.size() == local_.size(), "one partial result for each rank");
  const c10::DeviceGuard guard(local_partials.front().device());
  at::Tensor total = local_partials.front().clone();
  for (size_t rank = 1; rank < local_partials.size(); ++rank) total.add_(local_partials[rank].to(total.device()));
  return total;
}

}  // namespace reloadlab::sim::modelled
