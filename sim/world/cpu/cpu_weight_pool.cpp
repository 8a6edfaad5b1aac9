#include "sim/world/cpu/cpu_weight_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::sim {

void CpuWeightPool::sleep(bool keeps, std::vector<std::pair<std::string, at::Tensor>> names) {
  for (const auto& [name, tensor] : names) names_.try_emplace(allocation_serial(tensor.storage()), name);
  for (const auto& [serial, bytes] : *blocks_) {
    if (keeps) kept_[serial].assign(bytes.begin(), bytes.end());
    std::ranges::fill(bytes, account_->poison());
  }
  asleep_ = true;
}

void CpuWeightPool::wake() {
  for (const auto& [serial, bytes] : *blocks_)
    if (const auto kept = kept_.find(serial); kept != kept_.end()) std::ranges::copy(kept->second, bytes.begin());
  kept_.clear();
  names_.clear();
  asleep_ = false;
}

std::string CpuWeightPool::touched() {
  std::string first;
  for (const auto& [serial, bytes] : *blocks_) {
    const auto written = std::ranges::find_if(bytes, [&](std::byte byte) { return byte != account_->poison(); });
    if (!asleep_ || written == bytes.end()) continue;
    const auto name = names_.find(serial);
    if (first.empty())
      first = fmt::format("{} was written, at byte {} of its storage", name == names_.end() ? "memory that no layer holds" : name->second,
                          written - bytes.begin());
    std::ranges::fill(bytes, account_->poison());
  }
  return first;
}

}  // namespace reloadlab::sim
