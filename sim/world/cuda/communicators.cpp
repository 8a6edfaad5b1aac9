#define USE_C10D_NCCL
#include "sim/world/cuda/communicators.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace reloadlab::sim::cuda {
namespace {

// Who waits too long is found by us, who say what for, and so is a context that is lost; LibTorch's own watchers would end the process
// first. NCCL connects ranks when a communicator is made, and not within the first collective, which may take it seconds.
void set_environment() {
  for (const char* name : {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ENABLE_MONITORING", "TORCH_NCCL_RETHROW_CUDA_ERRORS",
                           "NCCL_NVLS_ENABLE", "NCCL_RUNTIME_CONNECT"})
    ::setenv(name, "0", 1);
}

c10::intrusive_ptr<c10d::Store> connect(const Seat& seat) {
  const c10d::TCPStoreOptions options{.port = static_cast<uint16_t>(seat.port),
                                      .isServer = false,
                                      .waitWorkers = false,
                                      .timeout = std::chrono::milliseconds(static_cast<int64_t>(seat.patience * 1000))};
  return c10::make_intrusive<c10d::TCPStore>(seat.host, options);
}

}  // namespace

Communicators& Communicators::of(const Seat& seat) {
  static auto* const only = new Communicators(seat);  // NCCL's threads outlive what is destroyed at exit
  return *only;
}

Communicators::Communicators(const Seat& seat) : seat_(seat) {
  set_environment();
  store_ = connect(seat);
}

c10::intrusive_ptr<c10d::ProcessGroup> Communicators::group(const std::string& name, std::vector<int64_t> ranks) {
  if (ranks.empty()) {
    ranks.resize(static_cast<size_t>(seat_.ranks));
    std::iota(ranks.begin(), ranks.end(), 0);
  }
  const std::string key = fmt::format("{} {}", name, fmt::join(ranks, ","));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = groups_.find(key); known != groups_.end()) return known->second;
  }
  const auto own = static_cast<int>(std::ranges::find(ranks, seat_.rank) - ranks.begin());
  const auto size = static_cast<int>(ranks.size());
  const auto store = c10::make_intrusive<c10d::PrefixStore>(key, store_);
  // LibTorch hands out 32 streams of each priority in turn: with the other one, the stream of a communicator, which lives as long as the
  // process, is never one that a rank asks for, and orders nothing by being the same.
  const auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      store, own, size, c10d::ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/true));
  // Now, since the first collective may be one that is captured.
  backend->eagerConnectSingleDevice(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(seat_.device)));
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, own, size);
  group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, backend);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::NCCL);
  const std::lock_guard lock(mutex_);
  names_[reinterpret_cast<const void*>(backend->getCommPtr())] = name;
  return groups_.emplace(key, std::move(group)).first->second;
}

c10::intrusive_ptr<c10d::Store> Communicators::store(const std::string& name, int64_t round) const {
  return c10::make_intrusive<c10d::PrefixStore>(fmt::format("round {} {}", round, name), store_);
}

std::string Communicators::name_of(const void* communicator) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(communicator);
  return found == names_.end() ? "a communicator" : found->second;
}

void Communicators::abort() {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, group] : groups_) group->getBackend(c10::DeviceType::CUDA)->abort();
}

std::string Communicators::outstanding() { return c10d::dump_nccl_trace_json(/*includeCollectives=*/true, /*onlyActive=*/true); }

}  // namespace reloadlab::sim::cuda
