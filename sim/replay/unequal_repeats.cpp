#include "sim/replay/unequal_repeats.h"

#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <algorithm>

#include "sim/replay/sequence.h"

namespace reloadlab::sim {

Result<std::vector<int>> layers_with_unequal_repeats(const Catalogue& catalogue, const Checkpoint& checkpoint) {
  std::vector<int> layers;
  for (size_t i = 0; i < catalogue.deliveries().size(); ++i) {
    const model::Delivery& delivery = catalogue.deliveries()[i];
    const int layer = catalogue.layer_of(static_cast<int>(i));
    if (delivery.repeats.empty() || (!layers.empty() && layers.back() == layer)) continue;
    const int first = catalogue.find_delivery(delivery.repeats);
    RELOADLAB_ASSIGN(const at::Tensor one, checkpoint.read(catalogue.deliveries()[static_cast<size_t>(first)]));
    RELOADLAB_ASSIGN(const at::Tensor other, checkpoint.read(delivery));
    if (!at::equal(one, other)) layers.push_back(layer);
  }
  return layers;
}

Status check_listed_order(const Catalogue& catalogue, const std::vector<int>& layers, const LoadPlan& plan, int step) {
  if (layers.empty()) return {};
  std::vector<int> last(static_cast<size_t>(catalogue.layer_count()), -1);
  for (const Sent& sent : sequence(catalogue, plan)) {
    if (sent.delivery < 0) continue;
    const int layer = catalogue.layer_of(sent.delivery);
    if (!std::ranges::binary_search(layers, layer)) continue;
    if (sent.delivery <= last[static_cast<size_t>(layer)])
      return Status(Code::data, fmt::format("step {}: checkpoint {} has different values for tensors of layer {} that have one place; "
                                            "expected its tensors once, and in the order in which the model lists them",
                                            step, plan.checkpoint, catalogue.layer(layer).name));
    last[static_cast<size_t>(layer)] = sent.delivery;
  }
  return {};
}

}  // namespace reloadlab::sim
