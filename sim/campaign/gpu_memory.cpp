#include "sim/campaign/gpu_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace reloadlab::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 5s;
constexpr auto between = 100ms;
constexpr int64_t unseen = 4 << 20;  // what a driver keeps for itself changes by a little

}  // namespace

GpuMemory::GpuMemory(std::function<std::vector<int64_t>()> in_use) : in_use_(std::move(in_use)) {
  if (in_use_) before_ = in_use_();
}

std::vector<int64_t> GpuMemory::left() const {
  std::vector<int64_t> left(before_.size(), 0);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (in_use_) {
    const std::vector<int64_t> now = in_use_();
    for (size_t gpu = 0; gpu < left.size() && gpu < now.size(); ++gpu)
      left[gpu] = now[gpu] - before_[gpu] > unseen ? now[gpu] - before_[gpu] : 0;
    if (left_text(left).empty() || std::chrono::steady_clock::now() > end) break;
    std::this_thread::sleep_for(between);
  }
  return left;
}

std::string left_text(const std::vector<int64_t>& left) {
  std::string text;
  for (size_t gpu = 0; gpu < left.size(); ++gpu)
    if (left[gpu] > 0)
      text += fmt::format("GPU {}: {:.1f} MiB more in use than before this run: left there by a process of it, or somebody else's\n", gpu,
                          static_cast<double>(left[gpu]) / (1 << 20));
  return text;
}

}  // namespace reloadlab::sim
