#include "sim/replay/catalogue.h"

#include <fmt/format.h>

#include "reference/base/check.h"

namespace reloadlab::sim {

Catalogue::Catalogue(const model::ModelSpec& model) : model_(&model) {
  for (const model::LayerSpec& spec : model.layers) {
    const model::LayerKind* kind = model::find_layer_kind(spec.kind);
    RELOADLAB_CHECK(kind, "unknown layer kind " + spec.kind);
    int index = static_cast<int>(kinds_.size());
    kinds_.push_back(kind);
    layer_index_.emplace(spec.name, index);
    groups_.push_back(index);
    deferred_.push_back(kind->deferred());
    for (model::Delivery& delivery : kind->deliveries(spec)) {
      delivery_index_.emplace(delivery.name, static_cast<int>(deliveries_.size()));
      deliveries_.push_back(std::move(delivery));
      delivery_layers_.push_back(index);
    }
  }
  for (int layer = 0; layer < layer_count(); ++layer) {
    if (this->layer(layer).tied_to) join(layer, *this->layer(layer).tied_to);
    for (const model::SlotSpec& slot : kind(layer).slots(this->layer(layer), {}))
      if (slot.alias_of) join(layer, model::resolve_alias(*model_, this->layer(layer), *slot.alias_of));
  }
  number_targets();
}

// A layer may have hundreds of deliveries to one slot.
void Catalogue::number_targets() {
  std::map<std::pair<int, std::string_view>, int> known;
  for (size_t i = 0; i < deliveries_.size(); ++i) {
    const auto [at, fresh] = known.try_emplace({delivery_layers_[i], deliveries_[i].slot}, -1);
    if (fresh) at->second = target_index_.try_emplace(root_of(at->first.first, deliveries_[i].slot), target_count()).first->second;
    targets_.push_back(at->second);
  }
}

// Follows ties, not views: a view's elements have places of their own in what it views.
std::string Catalogue::root_of(int layer, const std::string& name) const {
  if (this->layer(layer).tied_to && model::split_slot_path(*this->layer(layer).tied_to).second == name) return *this->layer(layer).tied_to;
  const std::vector<model::SlotSpec> slots = kind(layer).slots(this->layer(layer), {});
  for (const model::SlotSpec& slot : slots) {
    if (slot.name != name || !slot.alias_of) continue;
    const std::string root = model::resolve_alias(*model_, this->layer(layer), *slot.alias_of);
    for (const model::SlotSpec& other : slots)
      if (this->layer(layer).name + "." + other.name == root && other.shape == slot.shape) return root;
  }
  return this->layer(layer).name + "." + name;
}

void Catalogue::join(int layer, std::string_view slot_path) {
  int other = find_layer(slot_path.substr(0, slot_path.rfind('.')));
  if (other < 0) return;
  int from = std::max(group_of(layer), group_of(other)), to = std::min(group_of(layer), group_of(other));
  for (int& group : groups_)
    if (group == from) group = to;
}

int Catalogue::find_delivery(std::string_view name) const {
  auto found = delivery_index_.find(name);
  return found == delivery_index_.end() ? -1 : found->second;
}

int Catalogue::find_layer(std::string_view path) const {
  auto found = layer_index_.find(path);
  return found == layer_index_.end() ? -1 : found->second;
}

}  // namespace reloadlab::sim
