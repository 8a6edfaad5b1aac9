#include "reference/shared_series/member.h"

#include <fmt/format.h>

#include <algorithm>

namespace reloadlab::shared_series {

at::Tensor TakenOver::checkpoint_layout(std::string_view slot, const at::Tensor& processed) const {
  return own_->checkpoint_layout(slot, processed);
}

at::Tensor TakenOver::compute_value(const model::Layer& layer, std::string_view slot) const { return own_->compute_value(layer, slot); }

std::vector<model::Derived> TakenOver::derived(const model::Layer& layer) const { return own_->derived(layer); }

std::string count_of(const Pieces& pieces) { return fmt::format("{} piece{}", pieces.size(), pieces.size() == 1 ? "" : "s"); }

size_t Processed::tensors() const {
  auto held = [](const model::Slot& slot) { return slot.handle != nullptr; };
  return static_cast<size_t>(std::ranges::count_if(parameters, held) + std::ranges::count_if(buffers, held));
}

}  // namespace reloadlab::shared_series
